"""Is a gradient right? The complex step, differences, rounding, and locating the first error."""
