"""What is drawn: a recorded graph as one step, stamped along time; no coordinates, no colours."""
