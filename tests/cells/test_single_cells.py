"""What single cells promise beside their equations, and peers of theirs that have but one cell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import cells
from tinygrad_rnn.nn.recurrent.run import run

from .papers import mpmath


@pytest.mark.parametrize("make", [cells.HouseholderRNNCell, cells.UnitaryRNNCell])
@given(size=st.integers(1, 7), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_the_recurrent_matrix_is_orthogonal(make, size, seed) -> None:
    cell = make(2, size).astype("float64")
    rng = np.random.default_rng(seed)
    for parameter in cell.parameters():
        parameter.data = 3 * rng.standard_normal(parameter.shape)
    matrix = cell.matrix().data
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=1e-12)


def test_a_unitary_cell_that_starts_keeps_the_gradient_of_200_steps() -> None:
    cell = cells.UnitaryRNNCell(2, 8).astype("float64")
    x = tg.tensor(np.random.default_rng(0).standard_normal((200, 1, 2)))
    start = tg.tensor(np.random.default_rng(1).standard_normal((1, 16)), requires_grad=True)
    _, last = run(cell, x, start)
    (grad,) = tg.grad((last * last.detach()).sum(), [start])
    np.testing.assert_allclose(np.linalg.norm(grad.data), np.linalg.norm(last.data), rtol=1e-6)


def test_a_unitary_cell_learns_from_sequences_that_begin_with_zeros() -> None:
    tg.manual_seed(0)
    cell = cells.UnitaryRNNCell(1, 8)
    cell.bias_ih.data = np.full(8, 0.02, np.float32)  # modReLU jumps at 0 if it is positive
    outputs, _ = tg.nn.Recurrent(cell)(tg.zeros(20, 4, 1))
    (outputs * outputs).sum().backward()
    assert all(np.abs(p.grad.data).max() < 1e4 for p in cell.parameters() if p.grad is not None)
    assert np.abs(cell.start.grad.data).max() > 0


@pytest.mark.parametrize(("size", "theta"), [(1, 3.0), (4, 10.0), (6, 0.5)])
def test_the_constants_of_the_legendre_memory(size, theta) -> None:
    tg.set_default_dtype("float64")
    try:
        cell = cells.LMUCell(2, 3, memory_size=size, theta=theta)
    finally:
        tg.set_default_dtype("float32")
    system = mpmath.zeros(size + 1)
    for i in range(size):
        for j in range(size):
            system[i, j] = (2 * i + 1) * (-1 if i < j else (-1) ** (i - j + 1)) / mpmath.mpf(theta)
        system[i, size] = (2 * i + 1) * (-1) ** i / mpmath.mpf(theta)
    held = np.array(mpmath.expm(system).tolist(), dtype=float)
    np.testing.assert_allclose(cell.A.data, held[:size, :size], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(cell.B.data, held[:size, size], rtol=1e-11, atol=1e-13)


def test_a_legendre_memory_holds_the_last_theta_steps() -> None:
    steps, theta = 300, 100.0
    cell = cells.LMUCell(1, 3, memory_size=12, theta=theta).astype("float64")
    cell.encoder_x.data, cell.encoder_h.data = np.ones(1), np.zeros(3)
    signal = np.sin(np.arange(steps) / 12) + 0.5 * np.cos(np.arange(steps) / 31)
    _, (_, m) = run(cell, tg.tensor(signal[:, None, None]), cell.initial_state(1))
    ago = np.arange(0, 100, 10)
    # Equation 3: u(t - r theta) is the sum of m_i times the shifted Legendre polynomial P_i(r).
    polynomials = np.polynomial.legendre.legvander(2 * ago / theta - 1, 11)
    np.testing.assert_allclose(polynomials @ m.data[0], signal[steps - 1 - ago], atol=0.05)


def test_a_clockwork_unit_rests_between_its_ticks() -> None:
    cell = cells.ClockworkRNNCell(2, 3, periods=[1, 2, 4])
    x = tg.tensor(np.random.default_rng(0).random((9, 1, 2), np.float32))
    outputs, _ = run(cell, x, cell.initial_state(1))
    moved = np.diff(outputs.data[:, 0], axis=0) != 0
    assert [list(np.flatnonzero(unit) + 1) for unit in moved.T] == [
        [1, 2, 3, 4, 5, 6, 7, 8],
        [2, 4, 6, 8],
        [4, 8],
    ]


@pytest.mark.parametrize("periods", [(), (0, 1), (4, 2)])
def test_periods_of_a_clockwork_cell_are_whole_and_rise(periods) -> None:
    with pytest.raises(ValueError, match="periods must be"):
        cells.ClockworkRNNCell(2, 3, periods=periods)


def test_projected_lstm_is_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    peer = torch.nn.LSTM(2, 5, proj_size=3).double()
    cell = cells.ProjectedLSTMCell(2, 5, 3).astype("float64")
    for name, parameter in cell.named_parameters():
        parameter.data = getattr(peer, f"{name}_l0").detach().numpy().copy()
    x = np.random.default_rng(0).standard_normal((4, 2, 2))
    given, theirs = tg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    outputs, (r, c) = run(cell, given, cell.initial_state(2))
    expected, (last_r, last_c) = peer(theirs)
    for found, wanted in ((outputs, expected), (r, last_r[0]), (c, last_c[0])):
        np.testing.assert_allclose(found.data, wanted.detach().numpy(), rtol=1e-12)
    grads = tg.grad((outputs**2).sum(), [given, *cell.parameters()])
    named = [getattr(peer, f"{name}_l0") for name, _ in cell.named_parameters()]
    wanted = torch.autograd.grad((expected**2).sum(), [theirs, *named])
    for one, other in zip(grads, wanted, strict=True):
        np.testing.assert_allclose(one.data, other.numpy(), rtol=1e-10, atol=1e-13)


def _assert_equal_step(cell, named, theirs, x, h, dt) -> None:
    """A step of `cell` and of a module of torch, `theirs(x, h, dt)`, and all their gradients.

    `named`: for each parameter of ours the tensor of torch that it is made of.
    """
    torch = pytest.importorskip("torch", reason="needs torch")
    for name, parameter in cell.named_parameters():
        parameter.data = named[name].detach().numpy().copy()
    ours = [tg.tensor(a, requires_grad=True) for a in (x, h, dt)]
    others = [torch.tensor(a, requires_grad=True) for a in (x, h, dt)]
    found, _ = cell.step(ours[0], ours[1], dt=ours[2])
    wanted = theirs(*others)
    np.testing.assert_allclose(found.data, wanted.detach().numpy(), rtol=1e-7)
    grads = tg.grad((found**2).sum(), [*ours, *cell.parameters()])
    tensors = [named[name] for name, _ in cell.named_parameters()]
    expected = torch.autograd.grad((wanted**2).sum(), [*others, *tensors])
    for one, other in zip(grads, expected, strict=True):
        np.testing.assert_allclose(one.data, other.numpy(), rtol=1e-6, atol=1e-9)


def _step_inputs(hidden_size: int):
    rng = np.random.default_rng(0)
    shapes = (2, 2), (2, hidden_size), (2, 1)
    x, h, dt = (rng.standard_normal(shape) for shape in shapes)
    return x, h, np.exp(dt)


def test_cfc_is_that_of_ncps() -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    ncps = pytest.importorskip("ncps.torch", reason="needs ncps")
    peer = ncps.CfCCell(2, 3, backbone_units=4).double()
    heads = [peer.ff1, peer.ff2, peer.time_a, peer.time_b]
    named = {
        "weight_z": peer.backbone[0].weight,
        "bias_z": peer.backbone[0].bias,
        "weight_ih": torch.cat([head.weight for head in heads]).detach().requires_grad_(),
        "bias_ih": torch.cat([head.bias for head in heads]).detach().requires_grad_(),
    }

    def theirs(x, h, dt):
        weights = {}
        for k, name in enumerate(("ff1", "ff2", "time_a", "time_b")):
            weights[f"{name}.weight"] = named["weight_ih"][3 * k : 3 * k + 3]
            weights[f"{name}.bias"] = named["bias_ih"][3 * k : 3 * k + 3]
        return torch.func.functional_call(peer, weights, (x, h, dt))[0]

    cell = cells.CfCCell(2, 3, backbone_size=4).astype("float64")
    _assert_equal_step(cell, named, theirs, *_step_inputs(3))


def test_ltc_is_that_of_ncps() -> None:
    ncps = pytest.importorskip("ncps.torch", reason="needs ncps")
    wirings = pytest.importorskip("ncps.wirings", reason="needs ncps")
    wiring = wirings.FullyConnected(3)
    wiring.build(2)
    peer = ncps.LTCCell(wiring, implicit_param_constraints=True).double()
    named = dict(peer.named_parameters())

    def theirs(x, h, dt):
        return peer(x, h, elapsed_time=dt)[1]

    cell = cells.LTCCell(2, 3).astype("float64")
    _assert_equal_step(cell, named, theirs, *_step_inputs(3))


def test_what_is_missing_does_not_matter_to_gru_d_even_as_nan() -> None:
    cell = cells.GRUDCell(2, 3)
    mask = np.array([[[1, 0]], [[0, 0]], [[0, 1]]], np.float32)
    x = np.ones((3, 1, 2), np.float32)
    results = []
    for missing in (5.0, np.nan):
        layer = tg.nn.Recurrent(cell)
        outputs, _ = layer(np.where(mask > 0, x, np.float32(missing)), mask=mask)
        results += [outputs, *tg.grad(outputs.sum(), list(cell.parameters()))]
    half = len(results) // 2
    for one, other in zip(results[:half], results[half:], strict=True):
        assert np.isfinite(one.data).all()
        np.testing.assert_array_equal(one.data, other.data)


def test_a_mask_of_other_features_is_told() -> None:
    layer = tg.nn.Recurrent(cells.GRUDCell(2, 3), num_layers=2)
    with pytest.raises(ValueError, match=r"made for 3 features, but its mask has 2.*another cell"):
        layer(tg.zeros(4, 1, 2), mask=tg.ones(4, 1, 2))


def test_time_gaps_count() -> None:
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((5, 2, 2)).astype(np.float32))
    dt = tg.tensor(rng.uniform(0.1, 3.0, (5, 2, 1)).astype(np.float32))
    for make in (cells.CfCCell, cells.LTCCell, cells.PhasedLSTMCell, cells.GRUDCell):
        layer = tg.nn.Recurrent(make(2, 3), num_layers=2 if make is cells.CfCCell else 1)
        with_gaps, without = layer(x, dt=dt)[0], layer(x)[0]
        assert not np.allclose(with_gaps.data, without.data), make
        np.testing.assert_allclose(without.data, layer(x, dt=tg.ones(5, 2, 1))[0].data, rtol=1e-5)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_an_ltc_stays_between_what_its_synapses_pull_to(seed) -> None:
    rng = np.random.default_rng(seed)
    cell = cells.LTCCell(2, 3).astype("float64")
    for parameter in cell.parameters():
        parameter.data = 3 * rng.standard_normal(parameter.shape)
    ends = [p.data for p in (cell.vleak, cell.erev, cell.sensory_erev)]
    low, high = min(e.min() for e in ends), max(e.max() for e in ends)
    state = tg.tensor(rng.uniform(low, high, (4, 3)))
    for _ in range(5):
        x = tg.tensor(10 * rng.standard_normal((4, 2)))
        state, _ = cell.step(x, state, dt=tg.tensor(rng.exponential(3.0, (4, 1))))
        assert low <= state.data.min()
        assert state.data.max() <= high


def test_a_conv_lstm_on_one_pixel_is_a_peephole_lstm() -> None:
    images = cells.ConvLSTMCell(2, 3, image_size=(1, 1), kernel_size=1).astype("float64")
    vectors = cells.PeepholeLSTMCell(2, 3).astype("float64")
    rng = np.random.default_rng(0)
    for name, parameter in vectors.named_parameters():
        parameter.data = rng.standard_normal(parameter.shape)
        if name == "bias_hh":
            parameter.data[:] = 0.0
        else:
            own = getattr(images, name)
            own.data = parameter.data.reshape(own.shape)
    x = rng.standard_normal((4, 2, 2))
    found, _ = tg.nn.Recurrent(images)(x[..., None, None])
    expected, _ = tg.nn.Recurrent(vectors)(x)
    np.testing.assert_allclose(found.data[..., 0, 0], expected.data, rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: cells.SelectiveSSMCell(1, 2, state_size=3), (1,)),  # y is not as wide as the state
        (lambda: cells.PhasedLSTMCell(1, 2), (1,)),  # a remainder has no complex step
        (lambda: cells.ConvLSTMCell(1, 2, image_size=(1, 2)), (1, 1, 2)),
    ],
)
def test_gradients_of_layers_of_unlike_cells_can_be_checked(make, shape) -> None:
    def layer():
        return tg.nn.Recurrent(make(), num_layers=2, bidirectional=True)

    report = tg.testing.check_cell(layer, only=["inputs"], input_shape=shape)
    assert [law.verdict for law in report.laws] == ["holds"]
