"""Backends run a scheduled program: NumPy, or machine code from LLVM."""
