"""The engine: Tensor, Op and the backward pass. Read `tensor.py` first, then `op.py`."""
