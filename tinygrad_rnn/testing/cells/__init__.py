"""Cells under test: networks of them, their inputs, their runs, and the results."""
