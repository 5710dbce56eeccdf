"""Wrappers: their equations in plain NumPy, in any order, as one scan, with every option."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, pytree
from tinygrad_rnn.cells import wrappers as w
from tinygrad_rnn.compiler.specialization import compiled_steps
from tinygrad_rnn.testing import check_cell

I, H, B = 3, 3, 2
few = settings(max_examples=settings().max_examples * 30 // 100)
WRAPPERS = {
    "zoneout": lambda cell: w.Zoneout(cell, 0.3),
    "dropout": lambda cell: w.VariationalDropout(cell, 0.3),
    "residual": w.Residual,
    "projection": lambda cell: w.Projection(cell, H),
    "multiplicative": w.Multiplicative,
    "normalized": w.NormalizedState,
    "attention": lambda cell: w.AttentionOverPast(cell, 2),
    "gates": w.NormalizedGates,
    "weight drop": lambda cell: w.WeightDrop(cell, 0.3),
    "phased": lambda cell: w.Phased(cell, (1.0, 3.0), open_ratio=0.5),
}


def sequence(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def one_step(cell, **inputs):
    """x, the state before, and what the cell and the one inside it give, as arrays."""
    cell.astype("float64")
    x = sequence(B, I)
    h, c = sequence(B, H), sequence(B, H + 1)[:, :H]
    state = (tg.tensor(h), tg.tensor(c))
    inner_output, inner = cell.cell.advance(tg.tensor(x), state)
    return x, (h, c), state, inner_output.data, [leaf.data for leaf in inner]


def linear(layer, x):
    found = x @ layer.weight.data.T
    return found if layer.bias is None else found + layer.bias.data


def arrays(tree):
    return [leaf.detach().data for leaf in pytree.leaves(tree)]


def test_zoneout_keeps_units_and_in_evaluation_their_mean() -> None:
    cell = w.Zoneout(nn.LSTMCell(I, H), 0.3).eval()
    x, before, state, _, new = one_step(cell)
    output, after = cell(tg.tensor(x), state)
    for old, inside, found in zip(before, new, arrays(after), strict=True):
        np.testing.assert_allclose(found, 0.3 * old + 0.7 * inside)
    assert output is after[0]
    cell.train()
    rows = (
        tg.tensor(np.repeat(before[0][:1], 500, 0)),
        tg.tensor(np.repeat(before[1][:1], 500, 0)),
    )
    tg.manual_seed(0)
    _, (_, c) = cell(tg.tensor(np.repeat(x[:1], 500, 0)), rows)
    inside = cell.cell(tg.tensor(x[:1]), (rows[0][:1], rows[1][:1]))[1].data
    kept, changed = np.isclose(c.data, before[1][:1]), np.isclose(c.data, inside)
    assert (kept | changed).all() and abs(kept.mean() - 0.3) < 0.05


def test_variational_dropout_draws_one_mask_for_a_sequence() -> None:
    cell = w.VariationalDropout(nn.LSTMCell(I, H), 0.5).astype("float64")
    x, (h, c), state, _, _ = one_step(cell)
    _, masks = cell.initial_state(B)
    of_x, of_h = arrays(masks)
    assert set(np.unique([of_x, of_h])) <= {0.0, 2.0}
    output, (_, after) = cell(tg.tensor(x), (state, masks))
    expected = cell.cell(tg.tensor(x * of_x), (tg.tensor(h * of_h), tg.tensor(c)))
    np.testing.assert_allclose(output.data, expected[0].data)
    assert all(a is b for a, b in zip(after, masks, strict=True))
    assert all((m == 1).all() for m in arrays(cell.eval().initial_state(B)[1]))


def test_normalized_gates_is_the_layer_norm_lstm_but_for_the_norm_of_c() -> None:
    cell, paper = w.NormalizedGates(nn.LSTMCell(I, H)), tg.cells.LayerNormLSTMCell(I, H)
    paper.norm_c.forward = lambda c: c
    cell.cell.bias_hh.data[:] = 0
    for norm, other in zip(cell.norms, [paper.norm_ih, paper.norm_hh], strict=True):
        norm.weight.data = other.weight.data = sequence(4 * H).astype("f4")
        norm.bias.data = other.bias.data = sequence(4 * H + 1)[1:].astype("f4")
    for name in ("weight_ih", "weight_hh", "bias_ih"):
        getattr(paper, name).data = vars(cell.cell)[name].data.copy()
    x = sequence(5, B, I).astype("f4")
    for one, other in zip(*(arrays(nn.Recurrent(c)(x)) for c in (cell, paper)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert "cell.weight_hh" in cell.state_dict() and "norms.0.weight" in cell.state_dict()
    with pytest.raises(TypeError, match=r"multiplied by nn\.functional\.linear\(x, self\.weight\)"):
        w.NormalizedGates(tg.cells.AntisymmetricRNNCell(I, H))(tg.zeros(B, I))


def test_weight_drop_has_one_mask_for_a_sequence_and_another_for_the_next() -> None:
    cell = w.WeightDrop(nn.LSTMCell(I, H), 0.5)
    names = [name for name, _ in nn.LSTMCell(I, H).named_parameters()]
    assert [*cell.state_dict()] == [f"cell.{name}" for name in names]
    raw = cell.state_dict()["cell.weight_hh"]
    layer = nn.Recurrent(cell)
    x = sequence(6, B, I).astype("f4")
    masks = []
    for _ in range(12):
        layer.zero_grad()
        outputs, _ = layer(x)
        plain = nn.LSTMCell(I, H)
        plain.load_state_dict(cell.cell.state_dict())
        plain.weight_hh.data = dropped = cell.cell.weight_hh.data
        np.testing.assert_allclose(outputs.data, nn.Recurrent(plain)(x)[0].data, rtol=1e-5)
        mask = dropped / raw
        assert set(np.unique(mask.round(4))) <= {0.0, 2.0}
        outputs.sum().backward()
        [gradient] = [p.grad for n, p in cell.named_parameters() if n.endswith("weight_hh")]
        assert ((gradient.data == 0) == (mask == 0)).all()
        masks.append(mask)
    assert len({mask.tobytes() for mask in masks}) > 6
    assert abs(np.mean(masks) - 1) < 0.2
    assert len(compiled_steps(cell)) == 1  # another mask is no other program
    np.testing.assert_array_equal(cell.eval().cell.weight_hh.data, raw)


@pytest.mark.parametrize("kind", ["antisymmetricrnn", "indrnn", "fastgrnn", "lem"])
def test_weight_drop_of_published_cells(kind) -> None:
    cell = w.WeightDrop(tg.cells.discover()[kind](I, H), 0.5)
    layer, x = nn.Recurrent(cell), sequence(4, B, I).astype("f4")
    found = []
    for layer.unroll in (True, False, False):
        tg.manual_seed(3)
        outputs, _ = layer(x)
        found.append([outputs.data, *arrays(tg.grad(outputs.sum(), [*layer.parameters()]))])
    for one, other in zip([*found[1], *found[2]], [*found[0], *found[0]], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    with pytest.raises(
        ValueError, match=r"MinGRUCell has no weight_hh: choose the weights.*'weight_ih'"
    ):
        w.WeightDrop(tg.cells.MinGRUCell(I, H), 0.5)
    with pytest.raises(ValueError, match=r"LSTMCell has no parameter 'weight_hx': \['weight_ih'"):
        w.WeightDrop(nn.LSTMCell(I, H), 0.5, ["weight_hx"])


def test_residual_projection_multiplicative_and_normalized_state() -> None:
    residual = w.Residual(nn.LSTMCell(I, H))
    x, _, state, inside, _ = one_step(residual)
    np.testing.assert_allclose(residual(tg.tensor(x), state)[0].data, x + inside)

    projected = w.Projection(nn.LSTMCell(I, H), 2)
    x, _, state, inside, new = one_step(projected)
    output, after = projected(tg.tensor(x), state)
    np.testing.assert_allclose(output.data, inside @ projected.projection.weight.data.T)
    np.testing.assert_allclose(arrays(after), new)

    times = w.Multiplicative(nn.LSTMCell(I, H))
    x, (h, c), state, _, _ = one_step(times)
    m = linear(times.from_x, x) * linear(times.from_h, h)
    expected = times.cell(tg.tensor(x), (tg.tensor(m), tg.tensor(c)))
    np.testing.assert_allclose(arrays(times(tg.tensor(x), state)[1]), arrays(expected))

    normed = w.NormalizedState(nn.LSTMCell(I, H))
    x, _, state, _, (h, c) = one_step(normed)
    output, after = normed(tg.tensor(x), state)
    deviation = np.sqrt(h.var(axis=-1, keepdims=True) + normed.norm.eps)
    np.testing.assert_allclose(output.data, (h - h.mean(axis=-1, keepdims=True)) / deviation)
    np.testing.assert_allclose(after[1].data, c)


def test_attention_looks_back_at_the_outputs_before() -> None:
    cell = w.AttentionOverPast(nn.LSTMCell(I, H), 2).astype("float64")
    past, xs = np.zeros((B, 2, H)), sequence(4, B, I)
    outputs, _ = nn.Recurrent(cell)(xs)
    state = None
    for t, x in enumerate(xs):
        state = cell.cell(tg.tensor(x), state)
        own = state[0].data
        scores = np.einsum("bkh,bh->bk", past, linear(cell.query, own)) / np.sqrt(H)
        weights = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
        seen = np.einsum("bk,bkh->bh", weights, past)
        expected = np.tanh(linear(cell.mix, np.concatenate([own, seen], -1)))
        np.testing.assert_allclose(outputs.data[t], expected)
        past = np.concatenate([past[:, 1:], own[:, None]], axis=1)


@pytest.mark.parametrize("training", [True, False])
def test_a_phased_cell_changes_while_its_gate_is_open(training) -> None:
    cell = w.Phased(nn.LSTMCell(I, H), (2.0, 8.0), open_ratio=0.4, leak=0.01).train(training)
    x, before, state, _, new = one_step(cell)
    for time in (0.0, 1.3, 7.7, 100.0):
        tau = np.exp(cell.log_tau.data)
        phi = np.mod(time - cell.shift.data, tau) / tau
        k = np.where(phi < 0.2, 2 * phi / 0.4, np.where(phi < 0.4, 2 - 2 * phi / 0.4, 0.01 * phi))
        k = k if training else np.where(phi < 0.4, k, 0.0)
        _, after = cell(tg.tensor(x), state, time=tg.full((B, 1), time, dtype="float64"))
        for old, inside, found in zip(before, new, arrays(after), strict=True):
            np.testing.assert_allclose(found, k * inside + (1 - k) * old)


@few
@given(
    st.lists(st.sampled_from([*WRAPPERS]), min_size=1, max_size=3, unique=True),
    st.sampled_from([nn.LSTMCell, nn.GRUCell]),
    st.sampled_from([{}, {"bidirectional": True}, {"reverse": True}, {"truncate": 2}]),
    st.sampled_from([None, [5, 2]]),
    st.sampled_from(["numpy", "llvm"]),
)
def test_in_any_order_they_are_one_scan(names, inner, options, lengths, executor) -> None:
    cell = inner(I, H)
    for name in names:
        cell = WRAPPERS[name](cell)
    layers = 1 if "residual" in names and options.get("bidirectional") else 2
    layer = nn.Recurrent(cell, layers, executor=executor, **options).astype("float64")
    x = sequence(5, B, I)
    time = {"time": np.cumsum(np.abs(sequence(5, B, 1)), 0)} if "phased" in names else {}
    found = []
    for layer.unroll in (True, False, False):
        tg.manual_seed(1)
        given_x = tg.tensor(x, requires_grad=True)
        outputs, states = layer(given_x, lengths=lengths, **time)
        grads = tg.grad(
            (outputs * outputs).sum(), [given_x, *layer.parameters()], allow_unused=True
        )
        found.append([*arrays([outputs, states]), *(g.data for g in grads if g is not None)])
        if not layer.unroll:
            for one, other in zip(found[-1], found[0], strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", ["multiplicative", "attention", "phased"])
def test_laws_of_wrapped_cells(name) -> None:
    laws = ["state", "apart", "parameters", "inputs", "initial state", "scan", "lengths", "saved"]
    report = check_cell(lambda: WRAPPERS[name](nn.RNNCell(H, H)), only=laws)
    assert {law.verdict for law in report.laws} == {"holds"}


def test_a_stack_of_different_cells_and_residual_layers() -> None:
    first, second = w.Projection(nn.LSTMCell(2, 5), 3), nn.GRUCell(3, 3)
    layer = nn.Recurrent([first, second, nn.RNNCell(3, 3)], residual=True).astype("float64")
    assert layer.num_layers == 3 and layer.cells[:2] == [first, second]
    x = sequence(4, B, 2)
    outputs, states = layer(x)
    below, _ = nn.Recurrent(first)(x)
    for cell in layer.cells[1:]:
        above, _ = nn.Recurrent(cell)(below)
        below = below + above
    np.testing.assert_allclose(outputs.data, below.data)
    assert [type(state) for state in states] == [tuple, tg.Tensor, tg.Tensor]
    both = nn.Recurrent([nn.GRUCell(2, 3), nn.GRUCell(6, 4)], bidirectional=True)
    assert both(x.astype("f4"))[0].shape == (4, B, 8) and len(both.cells) == 4
    with pytest.raises(ValueError, match="layer 1, GRUCell, takes 4 features, and layer 0 gives 3"):
        nn.Recurrent([nn.GRUCell(2, 3), nn.GRUCell(4, 3)])
    with pytest.raises(ValueError, match=r"residual=True adds.*here they are 3, 4"):
        nn.Recurrent([nn.GRUCell(2, 3), nn.GRUCell(3, 4)], residual=True)
    with pytest.raises(ValueError, match="num_layers=3 for a stack of 1 cells"):
        nn.Recurrent([nn.GRUCell(2, 3)], 3)


def test_wrappers_refuse_what_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="a residual connection adds x, 3 features, to the output"):
        w.Residual(nn.GRUCell(3, 4))
    with pytest.raises(ValueError, match="rate must be"):
        w.Zoneout(nn.GRUCell(3, 4), 1.5)
    with pytest.raises(ValueError, match="rate must be at least 0 and below 1"):
        w.VariationalDropout(nn.GRUCell(3, 4), 1.0)


def test_wrapping_a_cell_takes_no_step_of_it() -> None:
    class Counting(nn.RNNCell):
        steps = 0

        def step(self, x, h):
            Counting.steps += 1
            return 2 * h, self.forward(x, h)

    cell = w.Zoneout(w.WeightDrop(Counting(I, H), 0.1), 0.1)
    nn.Recurrent(cell)
    assert Counting.steps == 0
    assert cell.output_size == H and Counting.steps == 1  # asked where a layer stands above
