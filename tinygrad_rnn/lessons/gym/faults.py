"""The twenty faults: each is one line of a correct network and its wrong replacement."""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple

__all__ = ["FAULTS", "Fault"]


class Fault(NamedTuple):
    """A bug in a `network` ("rnn", "lstm", "gru"): the `right` line, the `wrong` one, a `hint`."""

    name: str
    network: str
    right: str
    wrong: str
    hint: str

    @property
    def file(self) -> str:
        """The name of its file, such as "01_transposed_weight.py"."""
        return f"{FAULTS.index(self) + 1:02}_{self.name.replace(' ', '_').replace('-', '_')}.py"

    def text(self) -> str:
        """The text of the network with the fault in it."""
        text = self.solution()
        assert text.count(self.right) == 1, self.name
        return text.replace(self.right, self.wrong)

    def solution(self) -> str:
        """The text of the correct network."""
        return (files(__package__) / "networks" / f"{self.network}.py").read_text(encoding="utf-8")


FAULTS = [
    Fault(
        "transposed weight",
        "rnn",
        'd_a @ weights["W_hh"], d_h)',
        'd_a @ weights["W_hh"].T, d_h)',
        "In the forward pass the state is multiplied by the transpose of W_hh. By what in the "
        "backward pass?",
    ),
    Fault(
        "slope of the wrong value",
        "rnn",
        "(1.0 - after[t] ** 2)",
        "(1.0 - before[t] ** 2)",
        "The slope of tanh at a is 1 - tanh(a)^2. Whose tanh is it?",
    ),
    Fault(
        "off-by-one state",
        "rnn",
        'd_weights["W_hh"] += d_a.T @ before[t]',
        'd_weights["W_hh"] += d_a.T @ after[t]',
        "Which state was multiplied by W_hh in step t?",
    ),
    Fault(
        "last output only",
        "rnn",
        "d_h + d_outputs[t], 0.0)",
        "d_h + (d_outputs[t] if t == len(x) - 1 else 0.0), 0.0)",
        "A loss may use every output. Where does its gradient enter?",
    ),
    Fault(
        "overwritten sum",
        "rnn",
        'd_weights["W_xh"] += d_a.T @ x[t]',
        'd_weights["W_xh"] = d_a.T @ x[t]',
        "A weight is shared by all steps. What is its gradient made of?",
    ),
    Fault(
        "mean over the batch",
        "rnn",
        "d_a.sum(axis=0)",
        "d_a.mean(axis=0)",
        "The bias is broadcast over the batch. What is the reverse of broadcasting?",
    ),
    Fault(
        "time runs forward",
        "rnn",
        "for t in reversed(range(len(x))):",
        "for t in range(len(x)):",
        "The gradient of a state is known after those of all later states.",
    ),
    Fault(
        "padding read",
        "rnn",
        "        real = (t < lengths)[:, None]\n        before",
        "        real = (t <= lengths)[:, None]\n        before",
        "A sequence of length 1 has step 0 and no other.",
    ),
    Fault(
        "gradient lost in the padding",
        "rnn",
        'd_h = np.where(real, d_a @ weights["W_hh"], d_h)',
        'd_h = d_a @ weights["W_hh"]',
        "Past the end of a sequence its state is passed on unchanged. What is its gradient?",
    ),
    Fault(
        "input of the wrong step",
        "rnn",
        "new = np.tanh(x[t] @",
        "new = np.tanh(x[t - 1] @",
        "Which input belongs to step t? In Python, x[-1] is the last.",
    ),
    Fault(
        "detached cell state",
        "lstm",
        "        d_new_c = d_new_c + d_new_h * o",
        "        d_new_c = d_new_h * o",
        "Two things need c_t: h_t, and the belt on its way to the next step.",
    ),
    Fault(
        "stale gate",
        "lstm",
        "d_c = np.where(real, d_new_c * f, d_c)",
        "d_c = np.where(real, d_new_c * steps[t - 1][3], d_c)",
        "c_t = f_t * c_{t-1} + ...: the forget gate of which step?",
    ),
    Fault(
        "forget gate looks ahead",
        "lstm",
        "d_f = d_new_c * c\n",
        "d_f = d_new_c * new_c\n",
        "In c_t = f * c_{t-1} + i * g, what is f multiplied by?",
    ),
    Fault(
        "slope of a sigmoid",
        "lstm",
        "d_g * (1.0 - g**2)",
        "d_g * g * (1.0 - g)",
        "The candidate is a tanh, the gates are sigmoids.",
    ),
    Fault(
        "output gate without tanh",
        "lstm",
        "d_o = d_new_h * np.tanh(new_c)",
        "d_o = d_new_h * new_c",
        "In h_t = o * tanh(c_t), what is o multiplied by?",
    ),
    Fault(
        "gates in another order",
        "lstm",
        "slopes = [d_i * i * (1.0 - i), d_f * f * (1.0 - f)]",
        "slopes = [d_f * f * (1.0 - f), d_i * i * (1.0 - i)]",
        "The rows of W belong to i, f, g, o, in this order.",
    ),
    Fault(
        "missing slope",
        "lstm",
        "d_new_c + d_new_h * o * (1.0 - np.tanh(new_c) ** 2)",
        "d_new_c + d_new_h * o",
        "There is a tanh between c_t and h_t.",
    ),
    Fault(
        "reset too early",
        "gru",
        "n = np.tanh(x_n + r * h_n)",
        'n = np.tanh(x_n + np.split((r * h) @ weights["U"].T + weights["b_h"], 3, axis=1)[2])',
        "There are two kinds of GRU. In this one the reset gate is applied after the product.",
    ),
    Fault(
        "wrong sign at the update gate",
        "gru",
        "d_z = d_new * (h - n)",
        "d_z = d_new * (n - h)",
        "h_t = (1 - z) * n + z * h_{t-1}. Differentiate it with respect to z.",
    ),
    Fault(
        "the belt is cut",
        "gru",
        'd_h_part @ weights["U"] + d_new * z, d_h)',
        'd_h_part @ weights["U"], d_h)',
        "h_{t-1} enters h_t in two ways: through the products, and along the belt.",
    ),
]
"""All faults, in the order of their files."""
