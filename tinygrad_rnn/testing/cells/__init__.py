"""Cells under test: networks of them, what they are fed with, runs of them, and the results."""
