"""What is remembered of a computation: its nodes, the modes that decide it, changes and origins."""
