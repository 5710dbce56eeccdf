"""What is drawn: a recorded graph as one step, stamped along time. No coordinates, no colours."""
