"""Guards: what a step reads besides its arguments, and whether it is still the same."""
