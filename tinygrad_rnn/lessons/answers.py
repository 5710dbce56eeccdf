"""The exercises of the guide. Every answer that is a number is computed, most by the engine."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from .. import nn, ops, viz
from ..engine.tensor import Tensor, tensor
from .exercise import exercise


@exercise(
    "order.1",
    "A network takes the mean over the letters of a word. How many of the six orders of the "
    "letters a, b, c can it tell apart?",
    hint="What is the mean of three vectors in another order?",
    because="A mean does not depend on the order, so all six give the same answer.",
)
def _orders() -> float:
    letters = np.eye(3)
    means = {letters[[*order]].mean(axis=0).round(9).tobytes() for order in permutations(range(3))}
    return float(len(means))


@exercise(
    "order.2",
    "A feed-forward network runs each of its layers once. How many times does the hidden layer of"
    " a recurrent network run, when it reads a name of seven letters?",
    hint="Once for each letter.",
    because="Once for each letter, each time with the state after the previous letter.",
)
def _runs() -> float:
    outputs, _ = nn.RNN(2, 3)(np.zeros((7, 1, 2), np.float32))
    return float(len(outputs))


@exercise(
    "step.1",
    "The input has 10 numbers, the hidden layer 20 units, the output 5 numbers. How many weights "
    "do W_xh, W_hh, W_hy and the bias b of the hidden layer have together?",
    hint="W_xh has a row for each hidden unit and a column for each input; the others likewise.",
    because="20 x 10 + 20 x 20 + 5 x 20 + 20. It does not depend on the number of steps.",
)
def _weights() -> float:
    hidden = nn.RNNCell(10, 20, bias=False)
    output = nn.Linear(20, 5, bias=False)
    count = sum(p.size for layer in (hidden, output) for p in layer.parameters())
    return float(count + hidden.hidden_size)


@exercise(
    "step.2",
    "A network of one unit has W_xh = 0.5, W_hh = 2, b = 0 and starts from h_0 = 0. It reads 1, "
    "0, 0. What is h_3?",
    hint="h_1 = tanh(0.5 * 1). From then on the input is 0, and only W_hh matters.",
    because="The input is gone after one step, and the state remembers it.",
)
def _third_state() -> float:
    return float(_one_unit(0.5, 2.0, [1.0, 0.0, 0.0])[-1].item())


def _one_unit(input_weight: float, weight: float, inputs: list[float]) -> list[Tensor]:
    """The states of an RNN with one unit."""
    cell = nn.RNNCell(1, 1, bias=False)
    cell.weight_ih.data[:], cell.weight_hh.data[:] = input_weight, weight
    states = [ops.zeros(1, 1, requires_grad=True)]
    for x in inputs:
        states.append(cell(np.full((1, 1), x, np.float32), states[-1]))
    return states


@exercise(
    "strengths.1",
    "A batch holds sequences of 5 and of 2 steps; `lengths` says so. In the padding of the "
    "second, zeros are replaced by thousands. How many of its outputs change?",
    hint="What does `lengths` promise about padding?",
    because="Padding has no effect: not on outputs, not on the final state, not on any gradient.",
)
def _padding() -> float:
    layer, x = nn.RNN(3, 4), np.ones((5, 2, 3), np.float32)
    other = x.copy()
    other[2:, 1] = 1000.0
    pair = [layer(a, lengths=[5, 2])[0].detach().numpy()[:, 1] for a in (x, other)]
    return float((pair[0] != pair[1]).any(axis=-1).sum())


@exercise(
    "strengths.2",
    "The recurrent weight of an RNN is used at each of 12 steps. Of how many parts is its "
    "gradient the sum?",
    hint="`viz.ledger` has a part for each step at which the weight is used.",
    because="One for each step at which it is used.",
)
def _parts() -> float:
    return float(len(viz.ledger(nn.RNN(2, 3), ops.ones(12, 1, 2))["weight_hh_l0"]))


@exercise(
    "weaknesses.1",
    "A forward layer reads x_0, ..., x_7. At how many of these inputs is the gradient of output 3"
    " not zero?",
    hint="Output 3 has seen the inputs up to x_3.",
    because="At x_0, x_1, x_2 and x_3. It knows nothing about the others.",
)
def _seen() -> float:
    return _reached(nn.RNN(2, 3), 8, 3)


def _reached(layer: nn.Recurrent, steps: int, output: int) -> float:
    """At how many inputs the gradient of an output is not zero."""
    x = ops.ones(steps, 1, 2, requires_grad=True)
    layer(x)[0][output].sum().backward()
    assert x.grad is not None
    return float((x.grad.numpy() != 0).any(axis=(1, 2)).sum())


@exercise(
    "vanishing.1",
    "A network of one unit has W_hh = 0.5, and its state is 0, so that the slope of tanh is 1. "
    "What share of the gradient is left ten steps back?",
    hint="Each step back multiplies by W_hh and by the slope of tanh.",
    because="0.5 to the power of 10: about a thousandth.",
)
def _left() -> float:
    first, *_, last = _one_unit(1.0, 0.5, [0.0] * 10)
    last.sum().backward()
    assert first.grad is not None
    return float(first.grad.item())


@exercise(
    "vanishing.2",
    "Each step back leaves 80 % of the gradient. After how many steps is less than a millionth "
    "left?",
    hint="For which n is 0.8 to the power of n a millionth? Take logarithms.",
    because="log(0.000001) / log(0.8) is 61.9: after 62 steps.",
)
def _steps_to_a_millionth() -> float:
    left, steps = 1.0, 0
    while left >= 1e-6:
        left, steps = 0.8 * left, steps + 1
    return float(steps)


@exercise(
    "lstm.1",
    "The forget gate is 0.9 at every step and for every unit. Along the belt alone, what share of"
    " the gradient is left after fifty steps?",
    hint="Each step multiplies by 0.9 once more.",
    because="0.9 to the power of 50 is half a per cent: 0.9 is not very open.",
)
def _belt() -> float:
    c = first = tensor(1.0, requires_grad=True)
    for _ in range(50):
        c = 0.9 * c
    c.backward()
    assert first.grad is not None
    return float(first.grad.item())


@exercise(
    "lstm.2",
    "The rest of its input is zero. Which bias opens the forget gate to 0.99?",
    hint="Solve sigmoid(b) = 0.99 for b.",
    because="log(0.99 / 0.01) is about 4.6.",
)
def _bias() -> float:
    return float(np.log(0.99 / (1.0 - 0.99)))  # the inverse of the sigmoid


@exercise(
    "lstm.3",
    "A number stays on the belt, unchanged, for a hundred steps, while h is always zero. Which "
    "gate is closed?",
    hint="Which gate is between the belt and h?",
    because="The output gate: what is kept need not be shown.",
)
def _closed() -> str:
    cell = nn.LSTMCell(1, 1)
    zero, one = ops.zeros(1, 1), ops.ones(1, 1)
    gates = [
        "input gate",
        "forget gate",
        "candidate",
        "output gate",
    ]  # in the order of their biases
    for place, name in enumerate(gates):
        for p in cell.parameters():
            p.data[...] = 0.0
        cell.bias_ih.data[:] = [-50.0, 50.0, 0.0, 50.0]  # nothing written, all kept, all shown
        cell.bias_ih.data[place] = -50.0
        h, c = cell(zero, (zero, one))
        if name != "candidate" and c.item() > 0.99 and abs(h.item()) < 1e-6:
            return name
    raise AssertionError("no gate hides what is on the belt")


@exercise(
    "gru.1",
    "The update gate z is 1 for every unit and every input. By which number is the gradient "
    "multiplied on its way from h_t to h_{t-1}?",
    hint="Put z = 1 into the last equation.",
    because="h_t = h_{t-1}, so by 1: nothing is forgotten, and nothing is learnt, either.",
)
def _open_gru() -> float:
    cell = nn.GRUCell(1, 1)
    for p in cell.parameters():
        p.data[...] = 0.0
    cell.bias_ih.data[1] = 50.0  # r, z, n
    h = ops.ones(1, 1, requires_grad=True)
    cell(ops.zeros(1, 1), h).sum().backward()
    assert h.grad is not None
    return float(h.grad.item())


@exercise(
    "gru.2",
    "A GRU has what share of the weights of an LSTM of the same size?",
    hint="An LSTM has four products with the input and four with the state.",
    because="Three products instead of four, with the input and with the state.",
)
def _share() -> float:
    gru, lstm = (sum(p.size for p in make(5, 7).parameters()) for make in (nn.GRU, nn.LSTM))
    return gru / lstm


@exercise(
    "truncation.1",
    "A layer with truncate=5 reads 20 steps. How many inputs does the gradient of the last output "
    "reach?",
    hint="To those of its own block.",
    because="To the five of the last block.",
)
def _in_block() -> float:
    return _reached(nn.GRU(2, 3, truncate=5), 20, 19)


@exercise(
    "truncation.2",
    "How large is the largest difference between the outputs with and without truncation?",
    hint="Does the cut change what is computed forward?",
    because="There is none: only the gradient is cut.",
)
def _cut_difference() -> float:
    whole, cut = nn.GRU(2, 3), nn.GRU(2, 3, truncate=5)
    cut.load_state_dict(whole.state_dict())
    x = ops.ones(20, 1, 2)
    return float(abs(whole(x)[0].detach().numpy() - cut(x)[0].detach().numpy()).max())


@exercise(
    "both-ways.1",
    "How many features has each output of `nn.LSTM(8, 24, bidirectional=True)`?",
    hint="Each direction has 24 units.",
    because="24 from each direction, side by side.",
)
def _features() -> float:
    return float(nn.LSTM(8, 24, bidirectional=True)(ops.zeros(2, 1, 8))[0].shape[-1])


@exercise(
    "both-ways.2",
    "How many inputs has the backward direction read when it computes its part of `outputs[-1]`?",
    hint="It begins at the end.",
    because="One, the last: it begins there. For a summary of the sequence take its "
    "output at step 0.",
)
def _read() -> float:
    x = ops.ones(6, 1, 2, requires_grad=True)
    outputs, _ = nn.RNN(2, 3, bidirectional=True)(x)
    outputs[-1, :, 3:].sum().backward()
    assert x.grad is not None
    return float((x.grad.numpy() != 0).any(axis=(1, 2)).sum())


@exercise(
    "shapes.1",
    "A network reads a name and outputs its language. Is that one to many, many to one or many to "
    "many?",
    hint="What goes in: one thing or many? What comes out?",
    because="Many letters, one language.",
)
def _shape() -> str:
    return "many to one"


@exercise(
    "shapes.2",
    "The loss is the mean over the outputs of 6 steps. Into how many of these outputs does "
    "gradient flow directly from the loss?",
    hint="Which outputs does the mean depend on?",
    because="Into all six. Each also passes on the gradient that comes back from later steps.",
)
def _entries() -> float:
    outputs, _ = nn.GRU(2, 3)(ops.ones(6, 1, 2))
    given = outputs.detach().requires_grad_()
    given.mean().backward()
    assert given.grad is not None
    return float((given.grad.numpy() != 0).any(axis=(1, 2)).sum())
