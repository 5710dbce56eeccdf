"""The loop of a plan as one compiled function: written as Python text, compiled by LLVM."""
