"""From the text of a loop to machine code: LLVM instructions, the functions they call, a cache."""
