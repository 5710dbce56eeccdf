"""The loop of a program as one compiled function: written as Python text, compiled by LLVM.

`loop_text/` writes the text of a loop, `machine_code/` compiles it; `executable.py` runs it.
"""
