"""Charts of what was found in the gradient, with Matplotlib."""
