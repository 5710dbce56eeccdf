"""The scan: trace a cell, plan its loop and its backward loop, write both as programs, run them."""
