"""The subcommands of `tinygrad-rnn`, one file each, in the order in which `--help` lists them.

Each file has a function `register(commands)` that adds its parser and sets `command`, the function
to run, as a default. What is slow to import is imported there.
"""

NAMES = (
    *("train", "predict", "report", "draw", "show", "explain"),
    *("check", "plan", "card", "gym", "bench"),
)
