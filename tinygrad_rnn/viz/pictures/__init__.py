"""What a user gets: the map of a network, several of them, the plan of a scan, DOT."""
