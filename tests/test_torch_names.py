"""What a PyTorch user types: it works with PyTorch's result, or says how it is written here."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import torch_names
from tinygrad_rnn.graph import Graph

X = np.random.default_rng(0).normal(size=(2, 3))
Y = np.random.default_rng(1).normal(size=(2, 3))

# The first twenty-five things: the same line is run with both packages, and gives the same.
FIRST = [
    "x.view(3, -1)",
    "x.unsqueeze(0)",
    "x.permute(1, 0)",
    "x.numel()",
    "torch.cat([x, y], dim=1)",
    "torch.stack([x, y], dim=0)",
    "x.sum(dim=1, keepdim=True)",
    "x.mean(dim=0)",
    "x.argmax(dim=1)",
    "F.softmax(x, dim=-1)",
    "F.relu(x) + torch.sigmoid(y)",
    "nn.Sequential(nn.Tanh(), nn.ReLU(), nn.Sigmoid(), nn.Softmax(dim=1))(x)",
    "nn.CrossEntropyLoss()(x, torch.tensor([0, 2]))",
    "nn.MSELoss()(x, y)",
    "(x.argmax(dim=1) == torch.tensor([0, 2])).float().mean()",
    "f'{nn.MSELoss()(x, y):.3f}'",
    "x.detach().cpu().numpy()",
    "len(nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 2)]))",
    "nn.utils.clip_grad_norm_([torch.ones(2, requires_grad=True)], 1.0)",
    "nn.Linear(3, 2).double()(x).shape[0]",
    "x.to(torch.float32)",
    # with another result, and so with an answer
    "x.size(0)",
    "x.max(dim=1)",
    "x.std(dim=0)",
    "nn.utils.rnn.pack_padded_sequence(x, [3, 2])",
]
ANSWERS = {
    "x.size(0)": (TypeError, r"number of elements here.*PyTorch's size\(0\) is t\.shape\[0\]"),
    "x.max(dim=1)": (TypeError, r"tg\.max\(t, axis=\.\.\.\) is the values and tg\.argmax"),
    "x.std(dim=0)": (TypeError, r"divides by n - 1, as here tg\.std\(t, axis=\.\.\., ddof=1\)"),
    "nn.utils.rnn.pack_padded_sequence(x, [3, 2])": (AttributeError, r"lstm\(x, lengths=lengths\)"),
    "x.transpose(0, 1)": (ValueError, r"write t\.swapaxes\(0, 1\) for the first"),
    "torch.transpose(x, 0, 1)": (TypeError, r"here it is tg\.swapaxes\(x, 0, 1\)"),
    "x.min(dim=1)": (TypeError, "PyTorch returns a pair"),
    "torch.sort(x, dim=1)": (TypeError, r"tg\.argsort\(t, axis=\.\.\.\) the places"),
    "torch.median(x, dim=1)": (TypeError, "lower of both middles"),
    "torch.var(x, dim=1)": (TypeError, "ddof=1"),
    "torch.split(x, 1, dim=0)": (TypeError, r"tg\.chunk\(t, n, dim\) is PyTorch's"),
    "x.sort()": (AttributeError, r"here it is `tg\.sort\(t, axis\)` for the values"),
    "x.repeat(2, 1)": (AttributeError, r"here it is `tg\.tile\(t, sizes\)`"),
    "x.add_(1)": (AttributeError, "not here; write into no tensor that may be recorded"),
    "x.cuda()": (AttributeError, "everything is computed on the CPU"),
    "x.to('cuda:0')": (ValueError, "there is no device 'cuda:0'"),
    "nn.Linear(2, 2).to('mps')": (ValueError, "there is no device 'mps'"),
    "torch.cuda.is_available()": (AttributeError, "everything is computed on the CPU"),
    "nn.GELU()(x)": (ValueError, r"nn\.GELU\(approximate='tanh'\)"),
    "nn.Softmax()(x)": (ValueError, r"needs its axis, as nn\.Softmax\(dim=-1\)"),
    "F.pad(x, (1, 1))": (AttributeError, r"here it is NumPy's `tg\.pad"),
    "F.gelu(x)": (AttributeError, r"the tanh form, `tg\.gelu\(x\)`"),
    "x.sum(axis=0, dim=0)": (TypeError, "'axis' is given twice, once as 'dim'"),
    "x.sum(dims=0, dim=1)": (TypeError, "'axis' is given twice"),
    "f'{x:.3f}'": (TypeError, r"is for one number, and this tensor has shape \(2, 3\)"),
    "nn.Linear(2, 2).wieght": (AttributeError, "Linear has no attribute 'wieght'; did you mean"),
}

# More of the table, beside PyTorch's results.
ALSO = """
x.view((6,)) | x.view(3, 2) | x.reshape(3, 2) | x.flatten() | x.view(1, 2, 3).flatten(1)
torch.flatten(x.view(1, 2, 3), 1, 2) | x.unsqueeze(-1) | x.view(1, 6).squeeze(0) | x.t() | x.mT | x @ y.t()
x.transpose(1, 0) | x.swapdims(0, 1) | x.movedim(0, 1) | torch.permute(x, (1, 0))
x.expand(4, 2, 3) | x.view(2, 1, 3).expand(-1, 5, -1) | x.view(2, 1, 3).expand_as(torch.ones(2, 2, 3))
x.dim() | x.nelement() | torch.numel(x) | x.is_leaf | x.is_floating_point() | torch.is_tensor(x)
x.long() | x.int() | x.bool() | x.float() | x.double() | x.half().float() > 0 | x.type_as(x.float())
x.to(x.float()) | x.to('cpu') | x.contiguous() | x.clone() | x.nbytes
x.gather(1, torch.tensor([[0], [2]])) | torch.gather(x, 0, torch.tensor([[0, 1]]))
x.index_select(1, torch.tensor([2, 0])) | x.select(1, 2) | x.narrow(1, 1, 2) | x.masked_select(x > 0)
x.masked_fill(x > 0, 7.0) | x.masked_fill(x > 0, float('-inf')) | x.where(x > 0, y) | torch.where(x > 0, x, y)
x.clamp(-0.5, 0.5) | x.clamp(min=0.0) | torch.clamp(x, max=0.1) | x.clip(0.0, 1.0)
torch.chunk(x, 2, dim=1) | x.chunk(2) | x.unbind(1) | torch.unbind(x) | x.type_as(torch.tensor(1))
x.amax(dim=1) | torch.amin(x, 0, keepdim=True) | x.max() | x.min() | x.prod(dim=1) | x.cumsum(dim=0)
x.cumprod(dim=1) | torch.cumsum(x, 1) | x.logsumexp(dim=1) | x.log_softmax(dim=1) | x.softmax(0)
torch.softmax(x, dim=1) | x.norm() | torch.norm(x, dim=1) | x.mean() | x.mean([0, 1]) | x.sum((0, 1))
x.all() | (x > 0).any(dim=1) | torch.all(x > 0, dim=0, keepdim=True) | torch.count_nonzero(x, dim=1)
x.eq(y) | x.ne(y) | x.lt(y) | x.le(y) | x.gt(y) | x.ge(y) | torch.eq(x, x) | torch.lt(x, y)
x.add(y) | x.sub(y) | x.mul(2) | x.div(y) | x.pow(2) | x.neg() | x.abs() | x.exp() | (x * x).sqrt()
(x * x).rsqrt() | x.sin() | x.cos() | x.tan() | x.sinh() | x.cosh() | x.tanh() | x.atan() | x.atan2(y)
x.sigmoid() | x.relu() | x.round() | x.floor() | x.ceil() | x.trunc() | x.sign() | x.square() | x.reciprocal()
torch.asin(x.tanh()) | x.asinh() | x.tanh().atanh() | (x * x + 1).acosh() | torch.acos(x.tanh()) | torch.hypot(x, y) | torch.log2(x * x) | torch.log1p(x * x)
x.mm(y.t()) | x.matmul(y.t()) | x.mv(y[0]) | torch.bmm(x.view(2, 3, 1), y.view(2, 1, 3)) | torch.outer(x[0], y[0])
torch.addmm(x, x @ x.t(), y) | torch.addmm(x, x @ x.t(), y, beta=0.5, alpha=2) | torch.lerp(x, y, 0.3)
torch.dot(x[0], y[0]) | torch.einsum('ij,kj->ik', x, y) | x.flip(0) | x.flip(0, 1) | torch.flip(x, dims=(1,))
x.roll(1, 1) | torch.roll(x, shifts=1, dims=0) | x.tile(2, 1) | torch.tile(x, (2,)) | x.repeat_interleave(2, dim=1)
x.diff(dim=1) | x.diag() | x.tril() | torch.triu(x, 1) | x.argsort(dim=1) | x.argmin(dim=0, keepdim=True)
torch.allclose(x, x) | torch.isclose(x, y) | x.isnan() | x.isfinite() | x.take_along_dim(x.argmax(dim=1, keepdim=True), dim=1)
torch.linspace(0, 1, 5) | torch.zeros(2, dtype=torch.float64) | torch.empty(2, 3).shape[1] | torch.pi
torch.as_tensor([1, 2]) | x.new_zeros(2, 3) | x.new_ones((2,)) | x.new_full((2,), 3.0) | torch.full((2,), 1.5)
torch.ones_like(x) | torch.zeros_like(x) | torch.full_like(x, 2.0) | torch.eye(3) | torch.arange(1, 7, 2)
F.log_softmax(x, dim=1) | F.leaky_relu(x, 0.1) | F.elu(x) | F.silu(x) | F.softplus(x) | F.logsigmoid(x)
F.one_hot(torch.tensor([0, 2]), 3) | F.normalize(x, dim=1) | F.cosine_similarity(x, y, dim=1)
F.layer_norm(x, (3,)) | F.mse_loss(x, y) | F.l1_loss(x, y) | F.huber_loss(x, y, delta=0.3)
F.smooth_l1_loss(x, y, beta=0.5) | F.binary_cross_entropy(x.sigmoid(), y.sigmoid())
F.binary_cross_entropy(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]))
nn.L1Loss()(x, y) | nn.HuberLoss(delta=0.2)(x, y) | nn.SmoothL1Loss()(x, y) | nn.BCELoss()(x.sigmoid(), y.sigmoid())
nn.BCEWithLogitsLoss(reduction='sum')(x, y.sigmoid()) | nn.NLLLoss()(x, torch.tensor([1, 0]))
nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5]).double(), ignore_index=1)(x, torch.tensor([0, 2]))
nn.LeakyReLU(0.2)(x) | nn.ELU(0.5)(x) | nn.SiLU()(x) | nn.Softplus()(x) | nn.LogSigmoid()(x) | nn.Identity()(x)
nn.GELU(approximate='tanh')(x) | nn.LogSoftmax(dim=0)(x) | nn.Flatten()(x.view(2, 3, 1)) | nn.ReLU(inplace=False)(x)
x.view_as(y.t()) | x.reshape_as(y.t()) | x.ndimension() | x.new_tensor([1.0]) | x.itemsize | x.absolute()
x.multiply(2) | x.subtract(y) | x.divide(y) | x.true_divide(y) | x.negative() | x.sgn() | x.fix() | x.short()
[torch.zeros(1, dtype=d).numpy().dtype.name for d in (torch.half, torch.double, torch.float, torch.long)]
[torch.zeros(1, dtype=d).numpy().dtype.name for d in (torch.int, torch.short, torch.int8, torch.uint8, torch.bool)]
[torch.zeros(1, dtype=d).numpy().dtype.name for d in (torch.float16, torch.float32, torch.int16, torch.int32, torch.int64)]
torch.empty_like(x).shape[0] | torch.concat([x, y]) | torch.swapdims(x, 0, 1) | F.conv1d(x, y.view(3, 2, 1))
list(nn.ModuleDict({'a': nn.Linear(1, 1), 'b': nn.Linear(1, 1)}).state_dict())
[list(c.state_dict()) for c in nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)])[1:].children()]
sorted(nn.Sequential(nn.Linear(1, 1), nn.ModuleList([nn.Linear(1, 1)])).state_dict())
sorted(nn.CrossEntropyLoss(weight=torch.ones(2)).state_dict())
[tuple(p.shape) for p in nn.Conv2d(4, 6, (3, 2), groups=2).parameters()] | len(list(nn.Linear(1, 1).children()))
torch.concat([x, y], axis=-1) | x.unsqueeze(axis=0) | x.amax(axis=1, keepdims=True)
""".replace("\n", " | ").split(" | ")  # fmt: skip  # noqa: E501
ALSO = [line for line in ALSO if line]


def ours() -> dict[str, object]:
    names = SimpleNamespace(torch=tg, nn=tg.nn, F=tg.nn.functional)
    return vars(names) | {"x": tg.tensor(X), "y": tg.tensor(Y)}


def plain(value):
    """A result as arrays and Python values."""
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return np.asarray(value.detach().numpy()) if hasattr(value, "detach") else value


def assert_same(found, expected) -> None:
    found, expected = plain(found), plain(expected)
    if isinstance(expected, list):
        assert isinstance(found, list) and len(found) == len(expected)
        for one, other in zip(found, expected):
            assert_same(one, other)
    elif isinstance(expected, np.ndarray):
        assert found.shape == expected.shape and found.dtype == expected.dtype
        tolerance = 1e-12 if expected.dtype == np.float64 else 2e-6
        np.testing.assert_allclose(found, expected, tolerance, tolerance)
    else:
        assert found == expected or found == pytest.approx(expected)


@st.composite
def arrays_and_calls(draw):
    """A shape, and a line that takes axes and sizes which fit it."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    n = len(shape)
    axis = st.integers(-n, n - 1)
    one, other = draw(axis), draw(axis)
    start = draw(st.integers(0, shape[one] - 1))
    first, last = sorted((one % n, other % n))
    indices = [size if k == one % n else draw(st.integers(1, size)) for k, size in enumerate(shape)]
    taken = draw(st.lists(st.integers(0, shape[one] - 1), min_size=1, max_size=3))
    wide = [draw(st.integers(1, 3)), *(draw(st.sampled_from([-1, size])) for size in shape)]
    lines = [
        f"x.permute({', '.join(map(str, draw(st.permutations(range(n)))))})",
        f"x.unsqueeze({draw(st.integers(-n - 1, n))})",
        f"x.flatten({first}, {last})",
        f"torch.flatten(x, {first - n}, {last - n})",
        f"x.narrow({one}, {start}, {draw(st.integers(0, shape[one] - start))})",
        f"x.select({one}, {start})",
        f"x.index_select({one}, torch.tensor({taken}))",
        f"x.gather({one}, torch.zeros({indices}).long() + {start})",
        f"x.chunk({draw(st.integers(1, 5))}, dim={one})",
        f"x.unbind({one})",
        f"x.expand({', '.join(map(str, wide))})",
        f"x.flip({one})",
        f"torch.flip(x, [{first}] if {first} == {last} else [{first}, {last}])",
        f"x.roll({draw(st.integers(-5, 5))}, {one})",
        f"torch.cat([x, x], dim={one})",
        f"torch.stack([x, x], dim={draw(st.integers(-n - 1, n))})",
        f"x.swapdims({one}, {other})",
        f"x.movedim({one}, {other})",
        f"x.repeat_interleave(2, dim={one})",
        f"x.tile({', '.join(map(str, draw(st.lists(st.integers(1, 2), min_size=1, max_size=5))))})",
        *(f"x.{f}(dim={one}, keepdim={draw(st.booleans())})"
          for f in ("sum", "mean", "prod", "amax", "amin", "argmax", "logsumexp", "all", "any")),
        f"x.sum(dim=({first},) if {first} == {last} else ({first}, {last}), keepdim=True)",
        *(f"x.{f}(dim={one})" for f in ("cumsum", "cumprod", "softmax", "log_softmax", "argsort")),
        f"torch.diff(x, dim={one})",
        f"torch.count_nonzero(x, dim={one})",
        f"torch.linspace({draw(st.integers(-3, 3))}, 3, {draw(st.integers(1, 7))})",
    ]  # fmt: skip
    return shape, draw(st.sampled_from(lines))


@given(arrays_and_calls())
@settings(max_examples=4 * settings().max_examples, deadline=None)
def test_aliases_are_pytorchs_for_every_shape(case) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    shape, line = case
    x = np.random.default_rng(0).normal(size=shape)
    assert_same(
        eval(line, {"torch": tg, "x": tg.tensor(x)}),
        eval(line, {"torch": torch, "x": torch.tensor(x)}),
    )


def test_twenty_five() -> None:
    assert len(FIRST) == 25


@pytest.mark.parametrize("line", [line for line in (*FIRST, *ALSO) if line not in ANSWERS])
def test_a_line_gives_what_pytorch_gives(line) -> None:
    found = eval(line, ours())
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    theirs = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    theirs |= {"x": torch.tensor(X), "y": torch.tensor(Y)}
    assert_same(found, eval(line, theirs))


@pytest.mark.parametrize("line", ANSWERS)
def test_a_line_with_another_result_says_how_it_is_written_here(line) -> None:
    error, match = ANSWERS[line]
    with pytest.raises(error, match=match):
        eval(line, ours())


PLACES = {
    "torch": (tg, lambda torch: torch),
    "Tensor": (tg.ones(1, 1), lambda torch: torch.ones(1, 1)),
    "nn": (tg.nn, lambda torch: torch.nn),
    "nn.functional": (tg.nn.functional, lambda torch: torch.nn.functional),
    "nn.init": (tg.nn.init, lambda torch: torch.nn.init),
    "nn.utils": (tg.nn.utils, lambda torch: torch.nn.utils),
    "optim": (tg.optim, lambda torch: torch.optim),
    "Module": (tg.nn.Linear(1, 1), lambda torch: torch.nn.Linear(1, 1)),
}


@pytest.mark.parametrize("place", PLACES)
def test_every_other_name_of_pytorch_answers(place) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    here, there = PLACES[place]
    names = [name for name in dir(there(torch)) if not name.startswith("_")]
    assert len(names) > 15
    for name in names:
        try:
            getattr(here, name)
        except AttributeError as error:
            assert re.search("here it is|not here", str(error)), (place, name)
            assert not hasattr(here, name)


def test_what_the_answers_name_is_there() -> None:
    texts = [answer for answers in torch_names.ANSWERS.values() for answer in answers.values()]
    named = {name for text in texts for name in re.findall(r"\b(?:tg|nn|optim)\.[\w.]*\w", text)}
    assert len(named) > 30
    for name in named:
        found = tg
        for part in name.removeprefix("tg.").split("."):
            found = getattr(found, part)


def test_every_alias_is_tried() -> None:
    lines = " ".join((*FIRST, *ALSO))
    elsewhere = {"complex64", "inference_mode", "randint", "randperm", "set_printoptions"}
    names = {*torch_names.FUNCTIONS, *torch_names.METHODS, *torch_names.PROPERTIES}
    for name in names - elsewhere - set(tg.__all__):
        assert hasattr(np, name) or re.search(rf"\b{name}\b", lines), name


def test_a_graph_shows_the_canonical_name() -> None:
    x = tg.tensor(X, requires_grad=True)
    y = tg.cat([x.unsqueeze(0).view(2, 3), x.clamp(min=0.0)], dim=1).permute(1, 0)
    names = {node.op.name for node in Graph.of(y) if node.op}
    assert names == {"expand_dims", "reshape", "clip", "concatenate", "transpose"}


def test_gradients_flow_through_aliases() -> None:
    x = tg.tensor(X, requires_grad=True)
    x.masked_fill(x > 0, 0.0).gather(1, tg.tensor([[0, 0]])).sum(dim=1).sum().backward()
    expected = np.zeros_like(X)
    expected[0, 0] = 2.0 * (X[0, 0] <= 0)
    np.testing.assert_array_equal(x.grad.data, expected)


def test_random_numbers() -> None:
    tg.manual_seed(0)
    drawn = tg.randint(2, 5, (1000,))
    assert drawn.dtype == np.int64 and set(drawn.tolist()) == {2, 3, 4}
    assert sorted(tg.randperm(5).tolist()) == [0, 1, 2, 3, 4]
    assert set(tg.randint(2, (50,)).tolist()) == {0, 1}
    assert set(tg.randint(low=3, high=5, size=(50,)).tolist()) == {3, 4}
    assert set(tg.randint(high=2, size=(50,)).tolist()) == {0, 1}
    with tg.inference_mode():
        assert not (tg.ones(1, requires_grad=True) * 2).requires_grad


def test_an_op_of_ones_own_may_have_an_attribute_called_dim() -> None:
    @tg.op
    def shifted(x, *, dim):
        return x + dim

    assert shifted(np.zeros(2), dim=3.0).tolist() == [3.0, 3.0]
    with pytest.raises(TypeError, match="missing"):
        shifted(np.zeros(2))


def test_a_property_that_fails_shows_its_own_error() -> None:
    class Broken(tg.nn.Module):
        @property
        def size(self):
            return self.layers.number

    with pytest.raises(AttributeError, match="'layers'"):
        Broken().size  # noqa: B018


def test_modules_in_containers_are_parts() -> None:
    nn = tg.nn
    layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 3)])
    layers.insert(1, nn.Linear(2, 2))
    del layers[0]
    layers[-1] = nn.Linear(2, 1)
    assert [layer.out_features for layer in layers] == [2, 1]
    assert len(list(layers.parameters())) == 4 and len(layers[:1]) == 1
    with pytest.raises(TypeError, match="number 2 is no Module but function"):
        layers.append(lambda x: x)
    heads = nn.ModuleDict({"a": nn.Linear(2, 1)})
    heads["b"] = layers
    del heads["a"]
    assert list(heads) == ["b"] and "b" in heads and len(heads) == 1
    assert sorted(heads.state_dict())[0] == "b.0.bias"
    for name in ("forward", "_x", "a.b"):
        with pytest.raises(ValueError, match="cannot be the name of a module"):
            heads[name] = layers


def test_an_error_in_a_call_of_an_alias_has_the_name_it_was_called_by() -> None:
    x = tg.ones(2, 3)
    with pytest.raises(TypeError, match=r"concat\(\) got an unexpected keyword argument 'along'"):
        tg.concat([x, x], along=1)
    with pytest.raises(TypeError, match=r"concat\(\): 'dim' is given twice, once as 'axis'"):
        tg.concat([x, x], dim=1, axis=1)
    for table in (torch_names.METHODS, torch_names.FUNCTIONS, torch_names.FUNCTIONAL):
        assert not any(getattr(f, "__name__", "") == "<lambda>" for f in table.values())
