"""Modules that exist in PyTorch, too: created there with the same sizes and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ... import nn
from ...cells import ProjectedLSTMCell

__all__ = ["MODULES", "called", "counterpart"]

Value = Any


def counterpart(module: nn.Module) -> Any:
    """The same `torch.nn.Module`, with new weights; None if there is none."""
    make = MODULES.get(type(module))
    return None if make is None else make(module)


def _as_in_torch(layer: Any) -> bool:
    """Whether PyTorch's layers have every option that this layer uses."""
    return not (layer.reverse or layer.residual or layer.skip) and layer.truncate is None


def _recurrent(layer: Any) -> Any:
    import torch

    first = next(iter(layer._cells.values()))
    if not _as_in_torch(layer):
        return None
    options = {} if type(layer) is not nn.RNN else {"nonlinearity": first.nonlinearity}
    return getattr(torch.nn, type(layer).__name__)(
        layer.input_size,
        layer.hidden_size,
        layer.num_layers,
        bias=first.bias_ih is not None,
        batch_first=layer.batch_first,
        dropout=layer.dropout if layer.num_layers > 1 else 0.0,
        bidirectional=layer.bidirectional,
        **options,
    )


def _projected(layer: Any) -> Any:
    """PyTorch's LSTM with `proj_size`, for a layer of `ProjectedLSTMCell` alone."""
    import torch

    cells = [*layer._cells.values()]
    if any(type(cell) is not ProjectedLSTMCell for cell in cells) or not _as_in_torch(layer):
        return None
    if cells[0].projection_size >= cells[0].hidden_size:  # which PyTorch does not support
        return None
    return torch.nn.LSTM(
        cells[0].input_size,
        cells[0].hidden_size,
        layer.num_layers,
        batch_first=layer.batch_first,
        dropout=layer.dropout if layer.num_layers > 1 else 0.0,
        bidirectional=layer.bidirectional,
        proj_size=cells[0].projection_size,
    )


def _linear(module: Any) -> Any:
    import torch

    bias = module.bias is not None
    return torch.nn.Linear(module.in_features, module.out_features, bias=bias)


def _embedding(module: Any) -> Any:
    import torch

    sizes = module.num_embeddings, module.embedding_dim
    return torch.nn.Embedding(*sizes, padding_idx=module.padding_idx)


def _dropout(module: Any) -> Any:
    import torch

    return torch.nn.Dropout(module.p)


MODULES: dict[type[nn.Module], Callable[[Any], Any]] = {
    nn.LSTM: _recurrent,
    nn.GRU: _recurrent,
    nn.RNN: _recurrent,
    nn.Recurrent: _projected,
    nn.Linear: _linear,
    nn.Embedding: _embedding,
    nn.Dropout: _dropout,
}
"""Exactly these types: a subclass may do something else."""


def called(ours: nn.Module, module: Any, given: Mapping[str, Any]) -> Any:
    """The counterpart of one of our modules, called with the arguments of our `forward`."""
    import torch

    if isinstance(ours, nn.Recurrent):
        if type(ours) is not nn.Recurrent:
            return _run(module, **given)
        return _run_with_lists(module, **given)
    (x,) = given.values()
    if isinstance(module, torch.nn.Linear):
        x = x.to(module.weight.dtype)
    elif isinstance(module, torch.nn.Embedding):
        x = x.long()
    return module(x)


def _run_with_lists(module: Any, x: Value, state: Any = None, lengths: Value = None) -> Any:
    """The same for a layer whose state is a list of the cells' states, not stacked."""
    import torch

    stacked = None if state is None else tuple(map(torch.stack, zip(*state)))
    outputs, final = _run(module, x, stacked, lengths)
    return outputs, list(zip(*final))


def _run(module: Any, x: Value, state: Any = None, lengths: Value = None) -> tuple[Value, Any]:
    """A recurrent layer; where sequences have `lengths` they are packed."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    if lengths is None:
        return module(x, state)  # type: ignore[no-any-return]
    batch_first = module.batch_first
    steps = x.shape[1 if batch_first else 0]
    real = lengths.clamp(
        min=1
    ).cpu()  # a packed sequence has at least one step; empty ones are corrected afterwards
    packed = pack_padded_sequence(x, real, batch_first=batch_first, enforce_sorted=False)
    outputs, final = module(packed, state)
    outputs, _ = pad_packed_sequence(outputs, batch_first=batch_first, total_length=steps)
    some = lengths > 0
    rows = some[:, None, None] if batch_first else some[:, None]
    outputs = torch.where(rows, outputs, torch.zeros_like(outputs))

    def kept(new: Value, old: Value) -> Value:
        return torch.where(some[:, None], new, torch.zeros_like(new) if old is None else old)

    if isinstance(final, tuple):
        olds: Sequence[Any] = (None, None) if state is None else state
        return outputs, tuple(kept(new, old) for new, old in zip(final, olds))
    return outputs, kept(final, state)
