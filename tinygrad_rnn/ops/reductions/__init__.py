"""Ops that combine elements along an axis: sums, extrema, order, statistics."""
