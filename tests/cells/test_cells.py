"""The published cells against their equations, in 50 digits, and against another implementation.

`PAPERS` has each cell's step as its paper has it, on NumPy arrays of mpmath numbers; values and a
directional derivative of several steps are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import cells, nn, pytree

mpmath = pytest.importorskip("mpmath", reason="needs mpmath")
mpmath.mp.dps = 50

I, H, B, T = 2, 3, 2, 4
sigmoid = np.vectorize(lambda v: 1 / (1 + mpmath.exp(-v)), otypes=[object])
tanh = np.vectorize(mpmath.tanh, otypes=[object])
relu = np.vectorize(lambda v: max(v, mpmath.mpf(0)), otypes=[object])


def thirds(a: Any, parts: int) -> list[Any]:
    return np.split(a, parts, axis=-1)


def atr(p, x, h, cell):
    a, b = x @ p["weight_ih"].T + p["bias_ih"], h @ p["weight_hh"].T + p["bias_hh"]
    return sigmoid(a + b) * a + sigmoid(a - b) * h


def mgu(p, x, h, cell):
    wf, wn = np.split(p["weight_ih"], 2)
    uf, un = np.split(p["weight_hh"], 2)
    bf, bn = np.split(p["bias_ih"] + p["bias_hh"], 2)
    f = sigmoid(x @ wf.T + h @ uf.T + bf)
    return (1 - f) * h + f * tanh(x @ wn.T + (f * h) @ un.T + bn)


def ugrnn(p, x, h, cell):
    both = x @ p["weight_ih"].T + p["bias_ih"] + h @ p["weight_hh"].T + p["bias_hh"]
    n, g = thirds(both, 2)
    return sigmoid(g) * h + (1 - sigmoid(g)) * tanh(n)


def minimal(p, x, h, cell):
    z = tanh(x @ p["weight_ih"].T + p["bias_ih"])
    u = sigmoid(h @ p["weight_hh"].T + z @ p["weight_zh"].T + p["bias_hh"])
    return u * h + (1 - u) * z


def cfn(p, x, h, cell):
    f, i, w = thirds(x @ p["weight_ih"].T + p["bias_ih"], 3)
    uf, ui = thirds(h @ p["weight_hh"].T + p["bias_hh"], 2)
    return sigmoid(f + uf) * tanh(h) + sigmoid(i + ui) * tanh(w)


def star(p, x, h, cell):
    z, k = thirds(x @ p["weight_ih"].T + p["bias_ih"], 2)
    k = sigmoid(k + h @ p["weight_hh"].T + p["bias_hh"])
    return tanh((1 - k) * h + k * tanh(z))


def ran(p, x, state, cell):
    h, c = state
    n, i, f = thirds(x @ p["weight_ih"].T, 3)
    bi, bf = np.split(p["bias_ih"] + p["bias_hh"], 2)
    ui, uf = thirds(h @ p["weight_hh"].T, 2)
    c = sigmoid(i + ui + bi) * n + sigmoid(f + uf + bf) * c
    return tanh(c), c


def br(p, x, h, cell):
    a, c, n = thirds(x @ p["weight_ih"].T + p["bias_ih"], 3)
    wa, wc = np.split(p["weight_hh"], 2)
    ba, bc = np.split(p["bias_hh"], 2)
    c = sigmoid(c + wc * h + bc)
    return c * h + (1 - c) * tanh(n + (1 + tanh(a + wa * h + ba)) * h)


def nbr(p, x, h, cell):
    a, c, n = thirds(x @ p["weight_ih"].T + p["bias_ih"], 3)
    wa, wc = thirds(h @ p["weight_hh"].T + p["bias_hh"], 2)
    c = sigmoid(c + wc)
    return c * h + (1 - c) * tanh(n + (1 + tanh(a + wa)) * h)


def janet(p, x, state, cell):
    h, c = state
    both = x @ p["weight_ih"].T + p["bias_ih"] + h @ p["weight_hh"].T + p["bias_hh"]
    s, n = thirds(both, 2)
    c = sigmoid(s) * c + (1 - sigmoid(s - cell.beta)) * tanh(n)
    return c, c


def peephole(p, x, state, cell):
    h, c = state
    both = x @ p["weight_ih"].T + p["bias_ih"] + h @ p["weight_hh"].T + p["bias_hh"]
    i, f, g, o = thirds(both, 4)
    pi, pf, po = np.split(p["weight_ph"], 3)
    c = sigmoid(f + pf * c) * c + sigmoid(i + pi * c) * tanh(g)
    return sigmoid(o + po * c) * tanh(c), c


def indrnn(p, x, h, cell):
    return relu(x @ p["weight_ih"].T + p["weight_hh"] * h + p["bias_ih"])


def identity(p, x, h, cell):
    return relu(x @ p["weight_ih"].T + h @ p["weight_hh"].T + p["bias_ih"])


def antisymmetric(p, x, h, cell):
    a = p["weight_hh"] - p["weight_hh"].T - cell.gamma * np.eye(H)
    return h + cell.epsilon * tanh(h @ a.T + x @ p["weight_ih"].T + p["bias_ih"])


def gated_antisymmetric(p, x, h, cell):
    a = p["weight_hh"] - p["weight_hh"].T - cell.gamma * np.eye(H)
    z, v = thirds(x @ p["weight_ih"].T + p["bias_ih"], 2)
    return h + cell.epsilon * sigmoid(h @ a.T + z) * tanh(h @ a.T + v)


def fastrnn(p, x, h, cell):
    n = tanh(x @ p["weight_ih"].T + h @ p["weight_hh"].T + p["bias_ih"])
    return sigmoid(p["alpha"]) * n + sigmoid(p["beta"]) * h


def fastgrnn(p, x, h, cell):
    both = x @ p["weight_ih"].T + h @ p["weight_hh"].T
    bz, bh = np.split(p["bias_ih"], 2)
    z = sigmoid(both + bz)
    return (sigmoid(p["zeta"]) * (1 - z) + sigmoid(p["nu"])) * tanh(both + bh) + z * h


def cornn(p, x, state, cell):
    y, z = state
    drive = y @ p["weight_hh"].T + z @ p["weight_ch"].T + x @ p["weight_ih"].T + p["bias_ih"]
    z = z + cell.dt * (tanh(drive) - cell.gamma * y - cell.epsilon * z)
    return y + cell.dt * z, z


def unicornn(p, x, state, cell):
    y, z = state
    scale = cell.dt * sigmoid(p["weight_ch"])
    drive = p["weight_hh"] * y + x @ p["weight_ih"].T + p["bias_ih"]
    z = z - scale * (tanh(drive) + cell.alpha * y)
    return y + scale * z, z


def lem(p, x, state, cell):
    y, z = state
    x1, x2, xz, xy = thirds(x @ p["weight_ih"].T + p["bias_ih"], 4)
    y1, y2, yz = thirds(y @ p["weight_hh"].T, 3)
    d, e = cell.dt * sigmoid(x1 + y1), cell.dt * sigmoid(x2 + y2)
    z = (1 - d) * z + d * tanh(xz + yz)
    return (1 - e) * y + e * tanh(xy + z @ p["weight_ch"].T), z


def mingru(p, x, h, cell):
    z, n = thirds(x @ p["weight_ih"].T + p["bias_ih"], 2)
    return (1 - sigmoid(z)) * h + sigmoid(z) * n


def minlstm(p, x, h, cell):
    f, i, n = thirds(x @ p["weight_ih"].T + p["bias_ih"], 3)
    f, i = sigmoid(f), sigmoid(i)
    return f / (f + i) * h + i / (f + i) * n


PAPERS: dict[str, Callable[..., Any]] = {
    "ATRCell": atr,
    "MGUCell": mgu,
    "UGRNNCell": ugrnn,
    "MinimalRNNCell": minimal,
    "CFNCell": cfn,
    "STARCell": star,
    "RANCell": ran,
    "BRCell": br,
    "NBRCell": nbr,
    "JANETCell": janet,
    "PeepholeLSTMCell": peephole,
    "IndRNNCell": indrnn,
    "IdentityRNNCell": identity,
    "AntisymmetricRNNCell": antisymmetric,
    "GatedAntisymmetricRNNCell": gated_antisymmetric,
    "FastRNNCell": fastrnn,
    "FastGRNNCell": fastgrnn,
    "coRNNCell": cornn,
    "UnICORNNCell": unicornn,
    "LEMCell": lem,
    "MinGRUCell": mingru,
    "MinLSTMCell": minlstm,
}


def made(name: str) -> tuple[nn.Cell, list[tg.Tensor], Any]:
    """A cell in float64 with random parameters, x (T, B, I) and an initial state."""
    rng = np.random.default_rng(3)
    cell = getattr(cells, name)(I, H).astype("float64")
    for parameter in cell.parameters():
        parameter.data = 0.7 * rng.standard_normal(parameter.shape)
    x = rng.standard_normal((T, B, I))
    state = pytree.map(lambda s: 0.5 * rng.standard_normal(s.shape), cell.initial_state(B))
    return cell, x, state


def exact(array: Any) -> Any:
    return np.vectorize(mpmath.mpf, otypes=[object])(np.asarray(array))


def by_the_paper(name: str, cell: nn.Cell, arrays: list[Any]) -> list[Any]:
    """The first leaf of the state after each step; `arrays`: x, the state's, the parameters'."""
    names = [n for n, _ in cell.named_parameters()]
    x, *rest = arrays
    leaves, given = rest[: -len(names)], dict(zip(names, rest[-len(names) :]))
    state = leaves[0] if len(leaves) == 1 else tuple(leaves)
    shown = []
    for x_t in x:
        state = PAPERS[name](given, x_t, state, cell)
        shown.append(state if len(leaves) == 1 else state[0])
    return shown


def test_every_cell_is_compared_with_its_paper() -> None:
    assert sorted(PAPERS) == sorted(cells.__all__)


@pytest.mark.parametrize("name", sorted(PAPERS))
def test_values_and_gradients_are_the_papers(name) -> None:
    cell, x, state = made(name)
    arrays = [x, *pytree.leaves(state), *(p.data for p in cell.parameters())]
    numbers = [exact(a) for a in arrays]
    inputs = [tg.tensor(x, requires_grad=True)]
    inputs += [tg.tensor(s, requires_grad=True) for s in pytree.leaves(state)]
    own = pytree.unflatten(state, inputs[1:])
    shown = []
    for x_t in inputs[0]:
        own = cell(x_t, own)
        shown.append(pytree.leaves(own)[0])
    expected = by_the_paper(name, cell, numbers)
    for found, wanted in zip(shown, expected, strict=True):
        np.testing.assert_allclose(found.data, wanted.astype(float), rtol=1e-13, atol=1e-14)

    rng = np.random.default_rng(7)
    weights = [rng.standard_normal((B, H)) for _ in range(T)]
    loss = sum((s * w).sum() for s, w in zip(shown, weights))
    grads = tg.grad(loss, [*inputs, *cell.parameters()])
    ways = [rng.standard_normal(a.shape) for a in arrays]
    found = sum(float((g.data * way).sum()) for g, way in zip(grads, ways, strict=True))
    step = mpmath.mpf(10) ** -20

    def total(sign: int) -> Any:
        moved = [n + sign * step * exact(way) for n, way in zip(numbers, ways, strict=True)]
        outs = by_the_paper(name, cell, moved)
        return sum((o * exact(w)).sum() for o, w in zip(outs, weights, strict=True))

    wanted = float((total(1) - total(-1)) / (2 * step))
    assert found == pytest.approx(wanted, rel=1e-11)


@pytest.mark.parametrize("executor", ["numpy", "llvm"])
@pytest.mark.parametrize("name", sorted(PAPERS))
def test_every_cell_is_one_scan_and_compiles(name, executor) -> None:
    if executor == "llvm":
        pytest.importorskip("llvmlite", reason="needs llvmlite")
    cell, x, _ = made(name)
    layer = nn.Recurrent(cell)
    layer.unroll = True
    given = tg.tensor(x, requires_grad=True)
    (expected,) = tg.grad((layer(given)[0] ** 2).sum(), [given])
    layer.unroll = False
    tg.set_executor(executor)
    try:
        (found,) = tg.grad((layer(given)[0] ** 2).sum(), [given])
    finally:
        tg.set_executor("numpy")
    np.testing.assert_allclose(found.data, expected.data, rtol=1e-11, atol=1e-12)


# Ours by the other package's name, and what its parameters are called there. (Its IndRNN and
# FastGRNN have other nonlinearities; its LEM reads the old z, where the paper has the new one.)
PEERS = {
    "ATRCell": {},
    "UGRNNCell": {},
    "CFNCell": {},
    "STARCell": {},
    "BRCell": {},
    "NBRCell": {},
    "JANETCell": {},
    "FastRNNCell": {},
    "coRNNCell": {},
    "AntisymmetricRNNCell": {},
    "UnICORNNCell": {},
}


@pytest.mark.parametrize("name", PEERS)
def test_values_are_those_of_torchrecurrent(name) -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    peers = pytest.importorskip("torchrecurrent", reason="needs torchrecurrent")
    cell, x, state = made(name)
    own = dict(cell.named_parameters())
    settings = {
        ours: getattr(cell, ours)
        for ours in ("dt", "gamma", "epsilon", "alpha", "beta")
        if isinstance(getattr(cell, ours, None), float)
    }
    peer = getattr(peers, name)(I, H, **settings).double()
    with torch.no_grad():
        for theirs, parameter in peer.named_parameters():
            ours = own.get(PEERS[name].get(theirs, theirs))
            if ours is not None:
                parameter[...] = torch.tensor(ours.data)
            elif theirs.startswith("bias"):  # one that adds to another bias
                parameter[...] = 0.0
        found = peer(torch.tensor(x[0]), pytree.map(torch.tensor, state))
    wanted = cell(tg.tensor(x[0]), pytree.map(tg.tensor, state))
    for one, other in zip(pytree.leaves(found), pytree.leaves(wanted), strict=True):
        np.testing.assert_allclose(one.numpy(), other.data, rtol=1e-12, atol=1e-13)
