"""Running a program over a sequence: chunks, checkpoints, ragged batches, the node of the graph."""
