"""The NumPy backend: a program as straight-line Python."""
