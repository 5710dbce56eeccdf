"""PyTorch's names that are spelled differently here, or are not here: what to write instead."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NoReturn

from ..engine.keywords import DIFFERENT

__all__ = ["ANSWERS", "missing"]

_ON_CPU = "not here; everything is computed on the CPU: leave it out"
_COMPILED = "not here, and not needed; `nn.Recurrent` and the layers compile the cell's step"
_NO_INPLACE = (
    "not here; write into no tensor that may be recorded: `t = t + u`, `tg.where`, "
    "`tg.index_update`; outside graphs, `with tg.no_grad(): t[...] = value`"
)
_OPTIMISERS = (
    "not here; `SGD`, `Adam`, `AdamW` and `RMSprop` are. A new one is a subclass of "
    "`optim.Optimizer` with the rule for one parameter"
)
_NORMS = "not here; `nn.LayerNorm` is the normalisation for sequences"
_LENGTHS = (
    "not here, and not needed; pad the batch and give the layer the lengths: "
    "`outputs, state = lstm(x, lengths=lengths)`"
)

# What is spelled differently ("here it is ..."), or is not here. Names may be patterns.
ANSWERS: dict[str, dict[str, str]] = {
    "torch": {
        "amp": "not here; `module.to(dtype)` sets the dtype of everything",
        "autograd": "`tg.grad`, `tg.jacobian`, `tg.no_grad`, `tg.detect_anomaly`; `@tg.op` for "
        "a Function of your own",
        "backends|cuda|device|mps|xpu|get_device*|get_default_device|set_default_device": _ON_CPU,
        "bernoulli": "`tg.rand_like(p) < p`",
        "compile|jit|fx|_dynamo": _COMPILED,
        "functional|func|vmap": "`tg.grad`, `tg.value_and_grad`, `tg.jacobian`",
        "FloatTensor|DoubleTensor|LongTensor|IntTensor|BoolTensor": "`tg.tensor(data, dtype=...)`",
        "Generator|seed|initial_seed|get_rng_state|set_rng_state": "`tg.generator()`, NumPy's, "
        "and `tg.manual_seed`",
        "mode|quantile|kthvalue": "`tg.sort(t, axis)` and the elements at their places",
        "multinomial": "`tg.generator().choice(n, p=...)`",
        "normal": "`mean + std * tg.randn(*shape)`",
        "quantize*|qint*|quint*|*quant*": "not here; nothing is quantised",
        "random": "`tg.generator()`, NumPy's, and `tg.manual_seed`",
        "set_grad_enabled": "`with tg.no_grad():` and `with tg.enable_grad():`",
        "set_num_threads|get_num_threads": "the environment's OPENBLAS_NUM_THREADS",
        "Size": "a tuple: `t.shape`",
        "dtype": "NumPy's: `np.dtype`",
        "std_mean|var_mean": "`tg.std` or `tg.var`, and `tg.mean`",
        "topk": "`tg.argsort(t, axis)` and `tg.take_along_axis`",
        "unique": "`np.unique(t.numpy())`",
        "utils": "`tg.data` for batches; `tg.nn.utils` for clipping",
    },
    "Tensor": {
        "backward_": "`t.backward()`",
        "copy_|fill_|zero_|uniform_|normal_|masked_fill_|scatter_*|index_*_|set_": _NO_INPLACE,
        "cuda|device|get_device|is_cuda|pin_memory|mps|xpu|is_pinned|record_stream": _ON_CPU,
        "grad_fn": "`t.op`, the op that made it; `tg.viz.draw(t)` draws the graph",
        "index_add|index_put|scatter_add": "`tg.index_add(t, index, values)`",
        "index_copy|index_fill|*scatter": "`tg.where` or `tg.index_update(t, index, values)`",
        "layout|stride|storage*|untyped_storage|data_ptr|element_size|is_contiguous": "NumPy's, of "
        "the array itself: `t.data.strides`, `t.data.flags`",
        "median": "`tg.median(t)`, the mean of both middles; PyTorch's is the lower one",
        "mode|quantile|kthvalue": "`tg.sort(t, axis)` and the elements at their places",
        "multinomial": "`tg.generator().choice(n, p=t.numpy())`",
        "bernoulli": "`tg.rand_like(t) < t`",
        "repeat": "`tg.tile(t, sizes)`; NumPy's repeat, each element so many times, is `tg.repeat`",
        "sort|msort": "`tg.sort(t, axis)` for the values, `tg.argsort(t, axis)` for their places",
        "split|tensor_split|split_with_sizes": "NumPy's `tg.split(t, parts or places, axis)`; "
        "`t.chunk(n, dim)` is PyTorch's",
        "topk": "`tg.argsort(t, axis)` and `tg.take_along_axis`",
        "type": "`t.dtype`, and `t.astype(dtype)`",
        "unique": "`np.unique(t.numpy())`",
        "unfold": "slices side by side: `tg.stack([t[i:i + size] for i in ...])`",
    },
    "nn": {
        "*BatchNorm*|InstanceNorm*|GroupNorm|*RMSNorm*|LocalResponseNorm|CrossMapLRN2d": _NORMS,
        "*Loss|AdaptiveLogSoftmax*": "not here; a loss is a function of ops: "
        "`nn.functional.cross_entropy` shows how",
        "*Pool*|*Unpool*": "not here; `tg.max` or `tg.mean` over a reshaped axis",
        "*Dropout*|*dropout*": "`nn.Dropout`, and `dropout=` of the recurrent layers",
        "*Pad1d|*Pad2d|*Pad3d": "`tg.pad(x, widths)`",
        "Conv*|Lazy*|Unfold|Fold|Pixel*|Upsampl*|ChannelShuffle": "not here; `nn.Conv1d`, "
        "`nn.Conv2d` and ops",
        "DataParallel|parallel|SyncBatchNorm|modules": _ON_CPU,
        "EmbeddingBag": "`nn.Embedding` and `tg.sum` over the axis",
        "ParameterList|ParameterDict": "a list or dict of Parameters as the module's attribute",
        "RNNBase|RNNCellBase": "`nn.Cell` and `nn.Recurrent`: a cell of your own in one function",
        "Transformer*|MultiheadAttention": "not here; attention is `tg.softmax(q @ k.T) @ v`",
        "Bilinear": "`tg.einsum('bi,oij,bj->bo', x, weight, y)`",
        "Unflatten": "`tg.reshape`",
        "Buffer|UninitializedBuffer": "`module.register_buffer(name, value)`",
        "UninitializedParameter": "not here; parameters have their shapes from the start",
        "*ReLU*|CELU|SELU|Hard*|Mish|Soft*|Tanhshrink|Threshold|GLU": "a function of ops, which "
        "can stand in `nn.Sequential`",
    },
    "nn.functional": {
        "pad": "NumPy's `tg.pad(x, ((before, after), ...))`, axes from the first to the last",
        "gelu": "the tanh form, `tg.gelu(x)`: PyTorch's gelu(x, approximate='tanh')",
        "*pool*": "not here; `tg.max` or `tg.mean` over a reshaped axis",
        "*dropout*": "`nn.functional.dropout`",
        "*norm*": _NORMS,
        "scaled_dot_product_attention|multi_head_attention_forward": "not here; attention is "
        "`tg.softmax(q @ k.T) @ v`",
        "conv3d|conv_transpose*|unfold|fold|interpolate|upsample*": "not here; `tg.conv1d`, "
        "`tg.conv2d` and ops",
    },
    "nn.init": {
        "kaiming_*": "`uniform_` or `normal_` with the bound gain * sqrt(3 / fan_in), or "
        "`xavier_uniform_`",
        "ones_": "`constant_(t, 1.0)`",
        "eye_|dirac_": "`t.data[...] = np.eye(...)`",
        "trunc_normal_|sparse_": "`normal_`",
        "calculate_gain": "a number: 5/3 for tanh, sqrt(2) for relu",
    },
    "nn.utils": {
        "rnn": _LENGTHS,
        "parameters_to_vector|vector_to_parameters": "`module.state_dict()` and "
        "`module.load_state_dict(...)`",
        "*_norm|parametrize|parametrizations|prune": "not here; compute the weight in `forward`",
    },
    "optim": {
        "Ada*|ASGD|LBFGS|NAdam|RAdam|Rprop|Sparse*|Adafactor|Muon": _OPTIMISERS,
        "swa_utils": "not here; average `state_dict()`s",
    },
    "Module": {
        "cuda|ipu|xpu|mps": _ON_CPU,
        "compile": _COMPILED,
        "register_forward*|register_*backward*": "`t.register_hook(hook)` on a Tensor",
        "type|bfloat16": "`module.astype(dtype)`",
        "share_memory": _ON_CPU,
        "get_submodule|get_parameter|get_buffer": "`dict(module.named_modules())[path]`, and "
        "`named_parameters`, `named_buffers`",
    },
}  # fmt: skip


# Functions whose result with `dim=` is another one in PyTorch.
DIFFERENT.update(
    max="PyTorch returns a pair; here tg.max(t, axis=...) is the values and tg.argmax(t, axis=...) "
    "the places (PyTorch's amax is tg.amax(t, dim=...))",
    min="PyTorch returns a pair; here tg.min(t, axis=...) is the values and tg.argmin(t, axis=...) "
    "the places (PyTorch's amin is tg.amin(t, dim=...))",
    median="PyTorch returns a pair with the lower of both middles; here tg.median(t, axis=...) is "
    "their mean, as in NumPy",
    sort="PyTorch returns a pair; here tg.sort(t, axis=...) is the values and "
    "tg.argsort(t, axis=...) the places",
    split="PyTorch cuts into parts of a size; here tg.split(t, n, axis=...) makes n equal parts, "
    "tg.split(t, [2, 5], axis=...) cuts before 2 and 5, and tg.chunk(t, n, dim) is PyTorch's",
    std="PyTorch divides by n - 1, as here tg.std(t, axis=..., ddof=1); tg.std(t, axis=...) "
    "divides by n, as NumPy does",
    var="PyTorch divides by n - 1, as here tg.var(t, axis=..., ddof=1); tg.var(t, axis=...) "
    "divides by n, as NumPy does",
)


def missing(where: str, name: str, owner: object, called: str = "") -> NoReturn:
    """Raise the AttributeError for a name that `where` ("torch", "Tensor", "nn", ...) has not here.

    It says where PyTorch's thing of that name is, or else which name of the `owner` is close.
    `called`: what to call the owner.
    """
    raise AttributeError(_Answer(where, name, owner, called or where))


@dataclass(frozen=True, eq=False)
class _Answer:
    """A text that is made when it is read: `hasattr` asks often, and reads nothing."""

    where: str
    name: str
    owner: object
    called: str

    def __str__(self) -> str:
        where, name, owner = self.where, self.name, self.owner
        error = f"{self.called} has no attribute {name!r}"
        if name.startswith("_"):
            return error
        for patterns, answer in ANSWERS[where].items():
            if any(fnmatchcase(name, pattern) for pattern in patterns.split("|")):
                answer = answer if answer.startswith("not here") else f"here it is {answer}"
                return f"{error}. PyTorch's {name}: {answer}"
        if where == "Tensor" and name.endswith("_"):
            return f"{error}. PyTorch's {name}: {_NO_INPLACE}"
        close = difflib.get_close_matches(name, (n for n in dir(owner) if n[0] != "_"), 1, 0.75)
        if close:
            error += f"; did you mean {close[0]!r}?"
        return (
            f"{error} (PyTorch's {name}, if that is meant, is not here{_OWN[where].format(name)})"
        )


_AN_OP = "; `@tg.op` makes an op of any NumPy expression, see docs/your-own-op.md"
_OWN = dict.fromkeys(ANSWERS, "") | {
    "torch": _AN_OP, "Tensor": _AN_OP, "nn.functional": _AN_OP,
    "Module": "; one of your own is made in __init__, such as self.{} = nn.Parameter(...)",
}  # fmt: skip
