"""Modules as trees of named parts: parameters, modes, states, copies, the printed tree."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn


class Block(nn.Module):
    """Every way in which a module can hold its parts."""

    def __init__(self) -> None:
        self.scale = nn.Parameter([1.0, 2.0])
        self.linear = nn.Linear(2, 2)
        self.layers = [nn.Linear(2, 2), (nn.Dropout(0.5), nn.Linear(2, 2, bias=False))]
        self.heads = {"a": nn.Linear(2, 3), "b": nn.Linear(2, 4)}
        self.weights = [nn.Parameter([0.5]), nn.Parameter([0.25])]
        self.register_buffer("mean", np.zeros(2, "float32"))
        self._hidden = nn.Linear(9, 9)

    def forward(self, x):
        x = self.layers[1][1](self.layers[0](self.linear(self.scale * x))) - self.mean
        return self.heads["a"](x).sum() * self.weights[0] + self.heads["b"](x).sum()


NAMES = [
    "scale",
    "weights.0",
    "weights.1",
    "linear.weight",
    "linear.bias",
    "layers.0.weight",
    "layers.0.bias",
    "layers.1.1.weight",
    "heads.a.weight",
    "heads.a.bias",
    "heads.b.weight",
    "heads.b.bias",
]


def test_parts_are_named_by_attribute_place_and_key() -> None:
    block = Block()
    assert [name for name, _ in block.named_parameters()] == NAMES
    assert [name for name, _ in block.named_parameters("net")] == [f"net.{n}" for n in NAMES]
    assert [name for name, _ in block.named_buffers()] == ["mean"]
    assert [name for name, _ in block.named_modules()] == [
        "",
        "linear",
        "layers.0",
        "layers.1.0",
        "layers.1.1",
        "heads.a",
        "heads.b",
    ]
    assert [name for name, _ in block.named_children()] == [
        name for name, _ in block.named_modules() if name
    ]
    assert block.scale.name == "scale"


def test_parts_come_and_go_with_their_attributes() -> None:
    block = Block()
    del block.layers, block.heads
    block.weights.append(nn.Parameter([1.0]))
    block.linear = None
    assert [name for name, _ in block.named_parameters()] == [
        "scale",
        "weights.0",
        "weights.1",
        "weights.2",
    ]


def test_what_is_shared_is_listed_once_and_stored_under_both_names() -> None:
    net = nn.Module()
    net.first, net.again = [nn.Linear(2, 2)] * 2
    net.other = nn.Linear(2, 2)
    net.other.weight = net.first.weight
    assert [name for name, _ in net.named_modules()] == ["", "first", "other"]
    assert [n for n, _ in net.named_parameters()] == ["first.weight", "first.bias", "other.bias"]
    state = net.state_dict()
    assert [n for n in state if n.endswith("weight")] == [
        "first.weight",
        "again.weight",
        "other.weight",
    ]
    other = copy.deepcopy(net)
    assert other.first is other.again and other.other.weight is other.first.weight
    (net.first(np.ones((1, 2))) + net.again(np.ones((1, 2)))).sum().backward()
    np.testing.assert_array_equal(net.first.bias.grad.data, [2.0, 2.0])
    assert other.first.bias.grad is None


def test_modes_reach_every_module_and_return_it() -> None:
    block = Block()
    assert all(module.training for module in block.modules())
    assert block.eval() is block
    assert not any(module.training for module in block.modules())
    assert block.train() is block
    assert all(module.training for module in block.modules())
    block.train(False)
    assert not block.layers[1][0].training


def test_apply_visits_every_module_children_first() -> None:
    seen: list[nn.Module] = []
    block = Block()
    assert block.apply(seen.append) is block
    assert len(seen) == 7 and seen[-1] is block
    net = nn.Sequential(nn.Sequential(nn.Linear(1, 1)))
    order: list[str] = []
    net.apply(lambda module: order.append(type(module).__name__))
    assert order == ["Linear", "Sequential", "Sequential"]


def test_gradients_are_forgotten_and_switched() -> None:
    block = Block()
    block(np.ones((3, 2), "float32")).sum().backward()
    assert block.scale.grad is not None and block.heads["b"].bias.grad is not None
    block.zero_grad()
    assert all(parameter.grad is None for parameter in block.parameters())
    block.requires_grad_(False)
    assert not block(np.ones((3, 2), "float32")).requires_grad
    assert block.requires_grad_() is block
    assert all(parameter.requires_grad for parameter in block.parameters())


def test_a_state_is_a_copy_and_makes_another_module_the_same() -> None:
    one, two = Block(), Block()
    one.mean[...] = 7.0
    state = one.state_dict()
    assert list(state) == [*NAMES[:3], "mean", *NAMES[3:]]
    two.load_state_dict(state)
    x = np.ones((3, 2), "float32")
    assert one(x).item() == two(x).item()
    np.testing.assert_array_equal(two.mean.data, [7.0, 7.0])
    state["scale"][...] = 9.0
    np.testing.assert_array_equal(one.scale.data, [1.0, 2.0])
    np.testing.assert_array_equal(two.scale.data, [1.0, 2.0])
    held = two.linear.weight
    two.load_state_dict({"linear.weight": tg.zeros(2, 2, dtype="float64")}, strict=False)
    assert two.linear.weight is held and held.dtype == np.float32 and not held.data.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"linear.bias": None}, r"missing: linear.bias \(2,\)"),
        ({"linear.bia": [0.0, 0.0]}, r"unexpected: linear.bia$"),
        ({"heads.b.bias": [0.0]}, r"heads.b.bias has shape \(1,\), the module's has \(4,\)"),
        ({"scale": ["1", "2"]}, r"scale is <U1, the module's is float32"),
        ({"scale": [1j, 2j]}, r"scale is complex128, the module's is float32"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, message) -> None:
    block = Block()
    before = block.state_dict()
    state = {name: array + 1 for name, array in before.items()} | change
    state = {name: array for name, array in state.items() if array is not None}
    with pytest.raises(ValueError, match=r"the state does not fit Block: .*" + message):
        block.load_state_dict(state)
    for name, array in block.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_names_may_differ_when_not_strict_but_not_shapes() -> None:
    linear = nn.Linear(2, 1)
    linear.load_state_dict({"bias": [3.0], "other": [1.0]}, strict=False)
    assert linear.bias.item() == 3.0
    with pytest.raises(ValueError, match=r"bias has shape \(2,\)"):
        linear.load_state_dict({"bias": [3.0, 4.0]}, strict=False)


def test_loading_between_forward_and_backward_is_noticed() -> None:
    linear = nn.Linear(2, 1)
    x = tg.ones(1, 2, requires_grad=True)
    loss = linear(x).sum()
    linear.load_state_dict(linear.state_dict())
    with pytest.raises(tg.StaleValueError, match=r"matmul.*changed by load_state_dict, in Linear"):
        loss.backward()


def test_a_deep_copy_is_the_same_and_apart() -> None:
    block = Block().eval()
    other = copy.deepcopy(block)
    x = np.ones((1, 2), "float32")
    assert block(x).item() == other(x).item() and not other.training
    with tg.no_grad():
        other.scale += 1.0
    assert block(x).item() != other(x).item()
    assert [n for n, _ in other.named_parameters()] == NAMES and other.scale.name == "scale"
    net = copy.deepcopy(nn.Sequential(nn.Linear(2, 2), tg.tanh, nn.LSTM(2, 3)))
    assert net(np.ones((1, 4, 2), "float32"))[0].shape == (1, 4, 3)


def test_the_dtype_of_parameters_and_floating_buffers_changes() -> None:
    block = Block()
    block.register_buffer("steps", np.zeros(1, "int64"))
    assert block.astype("float64") is block
    assert {parameter.dtype for parameter in block.parameters()} == {np.dtype("float64")}
    assert block.mean.dtype == np.float64 and block.steps.dtype == np.int64
    assert block(np.ones((1, 2))).dtype == np.float64
    with pytest.raises(TypeError, match=r"floating.*int32"):
        block.astype("int32")


def test_buffers_are_saved_moved_and_not_learned() -> None:
    module = nn.Module()
    module.register_buffer("mean", [1.0])
    module.register_buffer("mean", [2.0])
    assert [name for name, _ in module.named_buffers()] == ["mean"]
    assert list(module.parameters()) == [] and not module.mean.requires_grad
    module.mean = module.mean * 3.0  # replacing it by assignment keeps it a buffer
    np.testing.assert_array_equal(module.state_dict()["mean"], [6.0])


def test_the_printed_tree() -> None:
    net = nn.Module()
    net.encoder = nn.Sequential(nn.Embedding(5, 3, padding_idx=0), tg.tanh)
    net.rnn = nn.GRU(3, 4, num_layers=2, dropout=0.5)
    net.heads = {"a": nn.LayerNorm(4)}
    assert repr(net) == (
        "Module(\n"
        "  (encoder): Sequential(\n"
        "    (0): Embedding(5, 3, padding_idx=0)\n"
        "    (1): tanh\n"
        "  )\n"
        "  (rnn): GRU(\n"
        "    num_layers=2, dropout=0.5\n"
        "    (l0): GRUCell(3, 4, True)\n"
        "    (l1): GRUCell(4, 4, True)\n"
        "  )\n"
        "  (heads.a): LayerNorm((4,), eps=1e-05)\n"
        ")"
    )
    assert repr(nn.Dropout(0.25)) == "Dropout(p=0.25)" and repr(nn.Module()) == "Module()"


def test_a_call_opens_the_scope_of_the_modules_place() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            self.layers = [nn.Linear(2, 2)]

        def forward(self, x):
            return self.layers[0](x)

    assert Net()(tg.ones(1, 2)).scope.path == "Net.layers.0"
    with pytest.raises(ValueError, match=r"Linear expects 2 features, got 3.*in Net\.layers\.0"):
        Net()(tg.ones(1, 3))


def test_a_module_without_forward_says_so() -> None:
    with pytest.raises(NotImplementedError, match=r"Module has no forward\(\)"):
        nn.Module()(1.0)


def test_sequential_runs_modules_and_functions_in_order() -> None:
    double = nn.Sequential(lambda x: x * 2.0)
    net = nn.Sequential(nn.Linear(2, 3), tg.relu, double)
    x = np.array([[1.0, -2.0]], "float32")
    np.testing.assert_array_equal(net(x).data, 2 * np.maximum(net[0](x).data, 0))
    assert len(net) == 3 and net[-1] is double and len(nn.Sequential()) == 0
    assert nn.Sequential()(5) == 5
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias"]
    for wrong in (3, nn.Linear):
        with pytest.raises(TypeError, match="Sequential takes modules and functions; number 1 is"):
            nn.Sequential(double, wrong)


def test_parameters_learn_and_are_their_own_copy() -> None:
    array = np.ones(2)
    parameter = nn.Parameter(array)
    array[0] = 5.0
    assert parameter.requires_grad and parameter.dtype == np.float32
    np.testing.assert_array_equal(parameter.data, [1.0, 1.0])
    assert not nn.Parameter([1.0], requires_grad=False).requires_grad
    assert type(copy.deepcopy(parameter)) is nn.Parameter
    with pytest.raises(TypeError, match="floating"):
        nn.Parameter([1, 2])


def test_a_call_with_wrong_arguments_is_told_the_right_ones() -> None:
    class Scaled(nn.Module):
        def forward(self, x, factor=2.0):
            return x * factor if factor == 2 else x + "no number"

    scaled = Scaled()
    for call, said in (
        (lambda: scaled(1.0, factr=3.0), "unexpected keyword argument 'factr' (did you mean 'fac"),
        (lambda: scaled(1.0, foo=1), "Scaled: got an unexpected keyword argument 'foo'; it is"),
        (lambda: scaled(), "Scaled: missing a required argument: 'x'"),
        (lambda: scaled(1.0, 2.0, 3.0), "too many positional arguments"),
    ):
        with pytest.raises(TypeError) as raised:
            call()
        assert said in str(raised.value) and "called with (x, factor=2.0)" in str(raised.value)
    with pytest.raises(TypeError, match="unsupported operand"):  # from inside: as it is
        scaled(1.0, 3)
