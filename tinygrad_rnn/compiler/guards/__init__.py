"""Guards: what a step has read besides its arguments, and whether it is still the same."""
