"""Cells over whole sequences: lengths, padding, directions, truncation, options, errors."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, pytree

KINDS = [nn.RNN, nn.LSTM, nn.GRU]
I, H = 2, 3


@st.composite
def runs(draw, **fixed):
    """A float64 layer, x (T, B, I), lengths or None, and an initial state or None."""
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    kind = draw(st.sampled_from(KINDS))
    options = {"num_layers": draw(st.integers(1, 2)), "bidirectional": draw(st.booleans())}
    options |= fixed
    layer = kind(I, H, **options).astype("float64")
    layer.load_state_dict({n: rng.standard_normal(a.shape) for n, a in layer.state_dict().items()})
    layer.unroll = draw(st.booleans())
    steps, batch = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    x = rng.standard_normal((steps, batch, I))
    lengths, state = None, None
    if draw(st.booleans()):
        lengths = np.array(draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch)))
    if draw(st.booleans()):
        count = options["num_layers"] * (1 + options["bidirectional"])
        state = pytree.map(lambda _: rng.standard_normal((count, batch, H)), shape_of(layer))
    return layer, x, lengths, state


def shape_of(layer: nn.Recurrent):
    """Any state of the layer, for its structure."""
    return layer(np.zeros((1, 1, I)))[1]


quick = settings(max_examples=settings().max_examples * 40 // 100)


def values(layer, x, state=None, lengths=None) -> list[np.ndarray]:
    """The outputs, the final state's leaves, and all gradients of one weighted sum of them."""
    layer.zero_grad()
    x = tg.tensor(x, requires_grad=True)
    state = None if state is None else pytree.map(lambda s: tg.tensor(s, requires_grad=True), state)
    outputs, final = layer(x, state, lengths=lengths)
    results = [outputs, *pytree.leaves(final)]
    sum((result * np.cos(np.arange(result.size)).reshape(result.shape)).sum()
        for result in results).backward()  # fmt: skip
    inputs = [x, *(pytree.leaves(state) if state is not None else ()), *layer.parameters()]
    return [r.detach().data for r in results] + [
        np.zeros(t.shape) if t.grad is None else t.grad.data for t in inputs
    ]


def forward(layer, x, state=None, lengths=None) -> tuple[np.ndarray, list[np.ndarray]]:
    outputs, final = layer(x, state, lengths=lengths)
    return outputs.detach().data, [leaf.detach().data for leaf in pytree.leaves(final)]


def assert_close(found, expected) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


@quick
@given(runs(), st.randoms())
def test_the_order_of_the_batch_does_not_matter(run, random) -> None:
    layer, x, lengths, state = run
    order = list(range(x.shape[1]))
    random.shuffle(order)
    outputs, final = forward(layer, x, state, lengths)
    state = None if state is None else pytree.map(lambda s: s[:, order], state)
    lengths = None if lengths is None else lengths[order]
    other, other_final = forward(layer, x[:, order], state, lengths)
    assert_close([other, *other_final], [outputs[:, order], *(f[:, order] for f in final)])


@quick
@given(runs())
def test_a_batch_is_its_sequences_one_by_one(run) -> None:
    layer, x, lengths, state = run
    outputs, final = forward(layer, x, state, lengths)
    for b in range(x.shape[1]):
        length = len(x) if lengths is None else lengths[b]
        own = None if state is None else pytree.map(lambda s, b=b: s[:, b], state)
        alone, alone_final = forward(layer, x[:length, b], own)  # unbatched
        assert_close([outputs[:length, b], *(f[:, b] for f in final)], [alone, *alone_final])
        assert not outputs[length:, b].any()


@quick
@given(runs(bidirectional=False), st.integers(0, 6))
def test_a_sequence_in_two_parts_with_the_state_carried_is_the_whole(run, cut) -> None:
    layer, x, lengths, state = run
    cut = min(cut, len(x))
    first, second = (None, None) if lengths is None else (
        np.minimum(lengths, cut), np.maximum(lengths - cut, 0)
    )  # fmt: skip
    outputs, final = forward(layer, x, state, lengths)
    start, middle = layer(x[:cut], state, lengths=first)
    end, last = layer(x[cut:], middle, lengths=second)
    found = [np.concatenate([start.detach().data, end.detach().data]), *pytree.leaves(last)]
    assert_close([found[0], *(leaf.detach().data for leaf in found[1:])], [outputs, *final])


@quick
@given(runs(bidirectional=False, num_layers=1))
def test_reverse_is_the_mirrored_sequence(run) -> None:
    layer, x, lengths, state = run
    backwards = copy.deepcopy(layer)
    backwards.reverse = True
    lengths = np.full(x.shape[1], len(x)) if lengths is None else lengths
    mirrored = np.zeros_like(x)
    for b, length in enumerate(lengths):
        mirrored[:length, b] = x[:length, b][::-1]
    expected, final = forward(layer, mirrored, state, lengths)
    outputs, other_final = forward(backwards, x, state, lengths)
    for b, length in enumerate(lengths):
        assert_close([outputs[:length, b][::-1]], [expected[:length, b]])
    assert_close(other_final, final)


@quick
@given(runs(bidirectional=True, num_layers=1))
def test_both_directions_are_one_each(run) -> None:
    layer, x, lengths, _ = run
    both, finals = forward(layer, x, None, lengths)
    weights = layer.state_dict()
    for k, (suffix, reverse) in enumerate([("", False), ("_reverse", True)]):
        one = type(layer)(I, H, reverse=reverse).astype("float64")
        one.load_state_dict({name: weights[name + suffix] for name in one.state_dict()})
        outputs, final = forward(one, x, None, lengths)
        assert_close([both[..., k * H : (k + 1) * H]], [outputs])
        assert_close([f[k] for f in finals], [f[0] for f in final])


@quick
@given(runs(), st.sampled_from([np.nan, np.inf, 1e300]))
def test_nothing_in_the_padding_has_any_effect(run, junk) -> None:
    layer, x, lengths, state = run
    lengths = np.arange(x.shape[1]) % (len(x) + 1) if lengths is None else lengths
    padding = np.arange(len(x))[:, None] >= lengths
    spoilt = np.where(padding[..., None], junk, x)
    expected = values(layer, np.where(padding[..., None], 0.0, x), state, lengths)
    found = values(layer, spoilt, state, lengths)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    outputs, x_grad = found[0], found[1 + len(pytree.leaves(shape_of(layer)))]
    assert not outputs[padding].any() and not x_grad[padding].any()


@quick
@given(runs(bidirectional=False, num_layers=1), st.integers(1, 7))
def test_truncation_is_detaching_the_state_by_hand(run, block) -> None:
    layer, x, _, state = run
    truncated = copy.deepcopy(layer)
    truncated.truncate = block
    found = values(truncated, x, state)

    def by_hand(x, state=None, lengths=None):
        parts = []
        for start in range(0, len(x), block):
            if start:
                state = pytree.map(tg.Tensor.detach, state)
            outputs, state = layer(x[start : start + block], state)
            parts.append(outputs)
        return tg.concatenate(parts), state

    by_hand.zero_grad, by_hand.parameters = layer.zero_grad, layer.parameters
    assert_close(found, values(by_hand, x, state))


@pytest.mark.parametrize("unroll", [False, True])
def test_truncation_in_the_padding_does_not_cut_the_final_state(unroll) -> None:
    layer = nn.LSTM(I, H, truncate=2, unroll=unroll).astype("f8")
    x, lengths = np.random.default_rng(0).normal(size=(6, 4, I)), [6, 3, 1, 2]
    by_row = []
    for row, length in enumerate(lengths):
        alone = tg.tensor(x[:length, row : row + 1], requires_grad=True)
        sum(leaf.sum() for leaf in layer(alone)[1]).backward()
        by_row.append(alone.grad.data)
    whole = tg.tensor(x, requires_grad=True)
    sum(leaf.sum() for leaf in layer(whole, lengths=lengths)[1]).backward()
    for row, (length, alone) in enumerate(zip(lengths, by_row, strict=True)):
        np.testing.assert_allclose(whole.grad.data[:length, row], alone[:, 0], rtol=1e-12)
        assert not whole.grad.data[length:, row].any()
    assert by_row[2].any()


@quick
@given(runs(), st.booleans(), st.none() | st.integers(1, 7))
def test_both_ways_to_run_give_the_same_numbers(run, reverse, truncate) -> None:
    layer, x, lengths, state = run
    layer.reverse, layer.truncate = reverse and not layer.bidirectional, truncate
    other = copy.deepcopy(layer)
    other.unroll = not layer.unroll
    assert_close(values(layer, x, state, lengths), values(other, x, state, lengths))


def test_truncation_cuts_gradients_and_nothing_else() -> None:
    x = tg.randn(6, 1, I, requires_grad=True)
    for reverse, reached in ((False, range(4, 6)), (True, range(2))):
        cell = nn.GRUCell(I, H)
        whole, cut = (nn.Recurrent(cell, reverse=reverse, truncate=k) for k in (None, 2))
        np.testing.assert_array_equal(cut(x)[0].data, whole(x)[0].data)
        (last,) = cut(x)[1]
        (grad,) = tg.grad(last.sum(), [x])
        assert [t for t in range(6) if grad.data[t].any()] == list(reached)


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("lengths", [[4, 2, 0], [0, 0, 0]])
def test_the_padding_is_not_zeros_to_a_cell_that_divides_by_its_input(unroll, lengths) -> None:
    class Direction(nn.RNNCell):
        def forward(self, x, state):
            return super().forward(x / np.sqrt((x * x).sum(axis=-1, keepdims=True)), state)

    layer = nn.Recurrent(Direction(I, H), unroll=unroll, bidirectional=True)
    x = tg.randn(5, 3, I, requires_grad=True)
    with np.errstate(all="ignore" if not any(lengths) else "raise"):
        outputs, final = layer(x, lengths=lengths)
        (outputs.sum() + sum(h.sum() for h in final)).backward()
    if any(lengths):
        assert all(np.isfinite(t.grad.data).all() for t in (x, *layer.parameters()))
    assert not x.grad.data[np.arange(5)[:, None] >= np.array(lengths)].any()
    assert not any(h.data[np.array(lengths) == 0].any() for h in final)


def test_a_layer_of_one_cell_is_a_loop_over_it() -> None:
    cell = nn.LSTMCell(I, H)
    x = tg.randn(5, 2, I)
    outputs, [(h, c)] = nn.Recurrent(cell)(x)
    state = None
    for t in range(5):
        state = cell(x[t], state)
        np.testing.assert_allclose(outputs.data[t], state[0].data, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(h.data, state[0].data, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(c.data, state[1].data, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_the_final_state_is_laid_out_by_layer_then_direction(kind) -> None:
    layer = kind(I, H, num_layers=2, bidirectional=True)
    outputs, final = layer(tg.randn(5, 4, I), lengths=[5, 3, 1, 5])
    h = pytree.leaves(final)[0].data
    assert all(leaf.shape == (4, 4, H) for leaf in pytree.leaves(final))
    ends = [4, 2, 0, 4]
    np.testing.assert_array_equal(h[2], outputs.data[ends, range(4), :H])
    np.testing.assert_array_equal(h[3], outputs.data[0, :, H:])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("steps", "batch"), [(0, 2), (3, 0), (0, 0), (0, None)])
def test_no_steps_and_no_sequences(kind, steps, batch) -> None:
    layer = kind(I, H, num_layers=2, bidirectional=True)
    outer = () if batch is None else (batch,)
    lengths = None if batch is None else [0] * batch
    for given_lengths in (None, lengths):
        x = tg.zeros(steps, *outer, I, requires_grad=True)
        outputs, final = layer(x, lengths=given_lengths)
        assert outputs.shape == (steps, *outer, 2 * H) and outputs.dtype == np.float32
        assert all(leaf.shape == (4, *outer, H) for leaf in pytree.leaves(final))
        assert not any(leaf.data.any() for leaf in pytree.leaves(final))


def test_a_sequence_of_length_zero_keeps_its_initial_state() -> None:
    state = tg.randn(1, 2, H)
    outputs, final = nn.GRU(I, H)(tg.randn(3, 2, I), state, lengths=[0, 3])
    np.testing.assert_array_equal(final.data[0, 0], state.data[0, 0])
    assert not outputs.data[:, 0].any()


@pytest.mark.parametrize("kind", KINDS)
def test_float32_stays_float32_with_every_option(kind) -> None:
    layer = kind(I, H, num_layers=2, bidirectional=True, dropout=0.3, truncate=2)
    x = tg.randn(4, 2, I, requires_grad=True)
    outputs, final = layer(x, lengths=[4, 2])
    (outputs.sum() + pytree.leaves(final)[-1].sum()).backward()
    grads = [parameter.grad for parameter in layer.parameters()]
    assert {t.dtype for t in (outputs, *pytree.leaves(final), x.grad, *grads)} == {
        np.dtype("float32")
    }


def test_batch_first_swaps_sequences_and_not_states() -> None:
    layer = nn.LSTM(I, H, num_layers=2)
    x, h = tg.randn(5, 2, I), tg.randn(2, 2, H)
    outputs, (final, _) = layer(x, (h, h), lengths=[5, 2])
    layer.batch_first = True
    other, (other_final, _) = layer(np.swapaxes(x, 0, 1), (h, h), lengths=tg.tensor([5, 2]))
    np.testing.assert_array_equal(other.data, outputs.data.swapaxes(0, 1))
    np.testing.assert_array_equal(other_final.data, final.data)


def test_dropout_lies_between_layers_and_only_in_training() -> None:
    x = tg.randn(5, 2, I)
    layer = nn.RNN(I, H, num_layers=2, dropout=0.5)
    plain = nn.RNN(I, H, num_layers=2)
    plain.load_state_dict(layer.state_dict())

    def seeded() -> np.ndarray:
        tg.manual_seed(3)
        return layer(x)[0].data

    first = seeded()
    np.testing.assert_array_equal(seeded(), first)
    assert not np.array_equal(first, layer(x)[0].data)
    np.testing.assert_array_equal(layer.eval()(x)[0].data, plain(x)[0].data)
    single = nn.RNN(I, H, dropout=0.9)
    np.testing.assert_array_equal(single(x)[0].data, single.eval()(x)[0].data)


def test_parameters_are_found_by_pytorchs_names() -> None:
    layer = nn.LSTM(I, H, num_layers=2, bidirectional=True)
    assert layer.weight_hh_l1_reverse is dict(layer.named_parameters())["weight_hh_l1_reverse"]
    assert layer.bias_ih_l0.name == "bias_ih_l0"
    assert (layer.input_size, layer.hidden_size) == (I, H)
    with pytest.raises(AttributeError, match="LSTM has no attribute 'weight_ih_l2'"):
        _ = layer.weight_ih_l2
    net = nn.Sequential(nn.Embedding(4, I), layer)
    assert [name for name, _ in net.named_parameters()][1] == "1.weight_ih_l0"
    other = copy.deepcopy(layer)
    assert other.weight_ih_l0 is not layer.weight_ih_l0
    x = tg.randn(3, 1, I)
    np.testing.assert_array_equal(other(x)[0].data, layer(x)[0].data)


def test_buffers_of_a_cell_are_saved_with_its_parameters() -> None:
    class Scaled(nn.RNNCell):
        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__(input_size, hidden_size)
            self.register_buffer("scale", [0.5])

        def forward(self, x, state):
            return super().forward(self.scale * x, state)

    layer = nn.Recurrent(Scaled(I, H), num_layers=2)
    assert [name for name, _ in layer.named_buffers()] == ["scale_l0", "scale_l1"]
    state = layer.state_dict() | {"scale_l1": np.array([2.0])}
    layer.load_state_dict(state)
    assert layer.scale_l1.item() == 2.0 and layer.scale_l0.item() == 0.5


def test_gradients_pass_gradcheck_with_lengths_to_second_order() -> None:
    layer = nn.GRU(I, H).astype("float64")
    x = tg.tensor(np.random.default_rng(0).standard_normal((3, 2, I)), requires_grad=True)

    def slope(x):
        outputs, final = layer(x, lengths=[3, 1])
        (grad,) = tg.grad((outputs * outputs).sum() + final.sum(), [x], create_graph=True)
        return grad

    direction = np.random.default_rng(1).standard_normal(x.shape)
    (curvature,) = tg.grad((slope(x) * direction).sum(), [x])
    step = 1e-6
    ahead, behind = (slope(tg.tensor(x.data + s * direction, requires_grad=True)).data
                     for s in (step, -step))  # fmt: skip
    np.testing.assert_allclose(curvature.data, (ahead - behind) / (2 * step), atol=1e-8)


def test_an_op_knows_its_layer_and_step() -> None:
    class Wrong(nn.Cell):
        hidden_size = H

        def forward(self, x, h):
            return tg.sigmoid(h @ h)

    with pytest.raises(ValueError, match=r"matmul.* in Recurrent\.l0, step 0"):
        nn.Recurrent(Wrong(), unroll=True)(tg.zeros(3, 2, I))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"dropout": 1.5}, "dropout is a probability, got 1.5"),
        ({"truncate": 0}, "truncate is a number of steps, at least 1, got 0"),
        ({"bidirectional": True, "reverse": True}, "leave out reverse"),
    ],
)
def test_options_that_make_no_sense(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        nn.Recurrent(nn.RNNCell(I, H), **options)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([6, 1], r"lengths from 1 to 6 for sequences of 5 steps"),
        ([-1, 1], r"lengths from -1 to 1 for sequences of 5 steps"),
        ([3], r"lengths must be 2 integers, one a sequence; got int64 of shape \(1,\)"),
        ([[3, 2]], r"lengths must be 2 integers, .* of shape \(1, 2\)"),
        (3, r"lengths must be 2 integers, .* of shape \(\)"),
        ([3.0, 2.0], r"lengths must be 2 integers, one a sequence; got float64"),
    ],
)
def test_lengths_that_do_not_fit(lengths, message) -> None:
    with pytest.raises(ValueError, match=message):
        nn.GRU(I, H)(tg.zeros(5, 2, I), lengths=lengths)


def test_states_that_do_not_fit() -> None:
    x, h = tg.zeros(5, 2, I), tg.zeros(1, 2, H)
    for state in (h, (h,), [h, h], (h, (h,))):
        with pytest.raises(ValueError, match=r"LSTM takes a state like \(float32\[1, 2, 3\], "):
            nn.LSTM(I, H)(x, state)
    for state in (tg.zeros(2, 2, H), tg.zeros(1, 3, H), tg.zeros(1, 2, H + 1), tg.zeros(2, H), 0.0):
        with pytest.raises(ValueError, match=r"GRU takes a state like float32\[1, 2, 3\]"):
            nn.GRU(I, H)(x, state)
    with pytest.raises(
        ValueError, match=r"GRU takes a sequence \(T, B, features\), .*has the shape \(2,\)"
    ):
        nn.GRU(I, H)(tg.zeros(I))


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_an_option_that_there_is_not_is_named_with_those_that_there_are(kind) -> None:
    with pytest.raises(TypeError, match=rf"{kind.__name__} has no option 'revers'.*'reverse'\?"):
        kind(I, H, revers=True)
    with pytest.raises(TypeError, match=r"no option 'foo'; its options: .*truncate"):
        kind(I, H, foo=1)


class Gapped(nn.Cell):
    """A cell with a further input and a constant."""

    def __init__(self, input_size, hidden_size):
        self.input_size, self.hidden_size = input_size, hidden_size
        self.map = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h, *, dt, memory):
        new = tg.tanh(self.map(tg.concatenate([x, h], axis=-1)) + memory)
        return h + dt * (new - h)


@settings(max_examples=settings().max_examples * 30 // 100)
@given(
    layers=st.integers(1, 3),
    both=st.booleans(),
    gapped=st.booleans(),
    ragged=st.booleans(),
    batch_first=st.booleans(),
    unroll=st.booleans(),
    seed=st.integers(0, 999),
)
def test_skip_connections_are_those_written_by_hand(
    layers, both, gapped, ragged, batch_first, unroll, seed
):
    rng = np.random.default_rng(seed)
    steps, batch = 4, 3
    cell = (Gapped if gapped else nn.LSTMCell)(I, H)
    options = {"bidirectional": both, "batch_first": batch_first, "unroll": unroll}
    layer = nn.Recurrent(cell, layers, skip=True, **options).astype("float64")
    shape = (batch, steps) if batch_first else (steps, batch)
    x = tg.tensor(rng.standard_normal((*shape, I)), requires_grad=True)
    lengths = rng.integers(0, steps + 1, batch) if ragged else None
    given = {"lengths": lengths}
    if gapped:
        given |= {"dt": rng.random((*shape, H)), "constants": {"memory": rng.random((batch, H))}}
    outputs, states = layer(x, **given)
    below, every, by_hand = x, [], []
    count = 1 + both
    for k in range(layers):
        its_cells = layer.cells[count * k : count * (k + 1)]
        sides = [
            nn.Recurrent(c, reverse=bool(d), batch_first=batch_first)(below, **given)
            for d, c in enumerate(its_cells)
        ]
        every.append(tg.concatenate([output for output, _ in sides], axis=-1))
        by_hand += [final for _, [final] in sides]
        below = tg.concatenate([x, every[-1]], axis=-1)
    expected = tg.concatenate(every, axis=-1)
    assert outputs.shape[-1] == layers * count * H
    np.testing.assert_allclose(outputs.data, expected.data, 1e-9, 1e-12)
    for ours, theirs in zip(pytree.leaves(states), pytree.leaves(by_hand), strict=True):
        np.testing.assert_allclose(ours.data, theirs.data, 1e-9, 1e-12)
    parameters = [x, *layer.parameters()]
    weights = rng.standard_normal(outputs.shape)
    ours, theirs = (tg.grad((result * weights).sum(), parameters) for result in (outputs, expected))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.data, other.data, 1e-9, 1e-10)


def test_a_stack_with_skip_connections_and_what_it_refuses():
    cells = [nn.GRUCell(2, 3), nn.LSTMCell(5, 4)]
    layer = nn.Recurrent(cells, skip=True)
    assert layer(tg.randn(4, 1, 2))[0].shape == (4, 1, 7) and "skip=True" in repr(layer)
    assert nn.LSTM(2, 3, 2, skip=True)(tg.randn(4, 1, 2))[0].shape == (4, 1, 6)
    other = nn.Recurrent([nn.GRUCell(2, 3), nn.LSTMCell(5, 4)], skip=True)
    other.load_state_dict(layer.state_dict())
    x = tg.randn(4, 1, 2)
    np.testing.assert_array_equal(layer(x)[0].data, other(x)[0].data)
    with pytest.raises(ValueError, match="takes 3 features, and layer 0 with x gives 5"):
        nn.Recurrent([nn.GRUCell(2, 3), nn.GRUCell(3, 3)], skip=True)
    with pytest.raises(ValueError, match=r"residual adds .*: choose"):
        nn.Recurrent(cells, skip=True, residual=True)
    with pytest.raises(TypeError, match=r"it is a Tensor of int64. .*nn\.Embedding"):
        nn.Recurrent(_Indexed(2, 3), 2, skip=True)(np.array([[[1]], [[0]]]))
    with pytest.raises(ValueError, match="_Indexed does not say how many it takes"):
        nn.Recurrent(_Indexed(None, 3), 2, skip=True)


class _Indexed(nn.Cell):
    def __init__(self, input_size, hidden_size):
        self.input_size, self.hidden_size = input_size, hidden_size
        self.table = nn.Embedding(4, hidden_size)

    def forward(self, x, h):
        return tg.tanh(self.table(x[:, 0]) + h)
