"""What flows back through a recorded graph, in numbers."""
