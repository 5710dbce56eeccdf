"""Ops that move elements and compute nothing: reshape, join, index, roll."""
