"""Ops that act on each element by itself: arithmetic, elementary functions, comparisons."""
