"""The gradients of a recorded graph as numbers: norms, Jacobians, shares."""
