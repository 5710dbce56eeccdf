"""The picture as one interactive HTML page."""
