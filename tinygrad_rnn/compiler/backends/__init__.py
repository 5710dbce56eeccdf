"""What runs a scheduled program: NumPy, or machine code from LLVM."""
