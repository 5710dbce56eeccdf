"""The loop of a program as one compiled function: written as Python text, compiled by LLVM."""
