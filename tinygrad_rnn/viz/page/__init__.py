"""The picture as one HTML page, to look into."""
