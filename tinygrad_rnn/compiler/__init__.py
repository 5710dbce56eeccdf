"""The compiler: trace a step, plan its forward and backward loops, generate programs, run them."""
