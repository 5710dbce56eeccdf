"""The engine: Tensor, Op and the backward pass. Read `tensor.py` first, then `op.py`.

`primitives/` is an op as mathematics, without a Tensor; `recording/` is what is remembered of a
computation: nodes, modes, and where in the user's code each came from.
"""
