"""What a user gets: the map of a network, a comparison, the plan of a scan, DOT."""
