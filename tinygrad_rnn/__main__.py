"""`python -m tinygrad_rnn` is the command `tinygrad-rnn`, for where that is not on the PATH."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
