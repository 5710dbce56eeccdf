"""The subcommands of `tinygrad-rnn`, one file each, in the order in which `--help` lists them.

Each file has a function `register(commands)` that adds its parser and sets `command`, the function
to run, as a default. Slow imports are made inside that function.
"""

NAMES = (
    *("train", "predict", "report", "draw", "show", "explain"),
    *("check", "plan", "card", "compare", "gym", "bench"),
)
