"""Is a gradient right: the complex step, differences, rounding, and where the first error is."""
