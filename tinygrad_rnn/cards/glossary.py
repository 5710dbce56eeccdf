"""What the numbers mean: the entries to which the numbers on a card link."""

from __future__ import annotations

from collections.abc import Iterable

from ..language import say
from ..viz.style.text import escaped

__all__ = ["GLOSSARY", "glossary", "linked"]

GLOSSARY: dict[str, tuple[str, str]] = {
    "equations": (
        "Equations",
        "One step was run, and every operation was recorded. The lines show these operations as "
        "mathematics, for one sequence of a batch. Vectors are columns: W x is a matrix times a "
        "vector, ⊙ the elementwise product. A label in brackets, as in W^(f), is the part of the "
        "rows of W that belongs to f. The lines were then parsed again and evaluated with NumPy. "
        "The error is the largest difference from the result of the cell itself, relative to its "
        "largest number.",
    ),
    "parameters": ("Parameters", "How many numbers are learned, without buffers."),
    "flops": (
        "FLOPs a step",
        "Floating-point operations of one step of one sequence, counted from the shapes of the "
        "compiled plan: a product of a matrix and a vector counts two per element of the matrix; "
        "any other operation, even a tanh, counts one per element. Backward: the additional "
        "operations of the gradient.",
    ),
    "state": ("State", "How many numbers one step passes to the next, for one sequence."),
    "jacobian": (
        "Jacobian of the state",
        "The derivatives of the next state with respect to the state, element by element. The "
        "gradient through time is the product of these matrices, one per step. Diagonal: each "
        "unit depends on itself alone. Block: on the units of its block. Dense: on all units. "
        "Derived from the operations, so true for any weights.",
    ),
    "affine": (
        "Affine in its state",
        "The next state is A h + b, where A and b may depend on the input in any way, but not on "
        "the state. Derived from the operations.",
    ),
    "delayed": (
        "Delayed input",
        "A part of the state that does not depend on the previous state: the input of the "
        "previous step, as in convolutions over time.",
    ),
    "flow": (
        "Gradient flow",
        "The norm of the gradient of the last output's loss with respect to the state, at each "
        "step of a sequence of the task. The gradient enters at the right. Where it falls to the "
        "left, less is learnt from earlier steps.",
    ),
    "horizon": (
        "Memory horizon",
        "A gradient of norm 1 and random direction at the last state s_T is multiplied by the "
        "Jacobian of s_T with respect to s_(T-k) on its way k steps back. What is left is the "
        "root of its mean squared norm: the Frobenius norm of the Jacobian divided by the root of "
        "the number of states, averaged over sequences. The horizon is the number of steps back "
        "at which at least the given share is left. A part of the state that is passed on "
        "unchanged, such as a clock, keeps its gradient for ever. In Python: "
        "tg.analysis.memory_horizon.",
    ),
    "lyapunov": (
        "Lyapunov exponents",
        "How fast small changes of the state grow or shrink, in each direction: the mean "
        "logarithm of the factor per step, from the product of the Jacobians, factored by QR at "
        "each step "
        "(Engelken et al. 2020; Vogt et al. 2020). Below 0 the state forgets and the gradient "
        "vanishes, at 0 it is kept, above 0 the dynamics are chaotic and the gradient explodes. "
        "−∞: nothing is passed on. At most the 32 largest. In Python: "
        "tg.analysis.lyapunov_spectrum.",
    ),
    "dimension": (
        "Dimension",
        "The Kaplan-Yorke dimension of the attractor: how many exponents, from the largest, add "
        "up to 0. 0: all states that see the same inputs converge.",
    ),
    "truncation": (
        "Error of the truncated gradient",
        "The gradient through only k steps compared with the exact one: the norm of the "
        "difference divided by the norm of the exact gradient of all parameters. 0 is exact; 1 is "
        "as wrong as no gradient at all. The outputs of all steps get random weights. In Python: "
        "tg.analysis.truncation_errors.",
    ),
    "loss": (
        "Last loss",
        "The mean loss on held-out sequences after the last epoch. A guess is the best answer "
        "that ignores the inputs.",
    ),
    "step": (
        "CPU time of a step",
        "The mean processor time of one training step for one batch of the task: forward, "
        "backward and the optimiser. The first epoch is not counted, because it compiles.",
    ),
    "speed": (
        "Milliseconds of a training step",
        "The median wall-clock time of the forward and backward pass of one batch, after the "
        "first step. NumPy, compiled: this package's two executors. JAX, PyTorch: the exported "
        "cell. Other programs on the machine make the times longer. `tinygrad-rnn bench` "
        "measures one at a time, with its memory.",
    ),
    "ratio": (
        "Times an LSTM",
        "The time of the cell divided by that of an LSTM with as many units, in the same library.",
    ),
    "laws": (
        "Laws",
        "What must hold for every cell: its gradients equal the derivatives with respect to every "
        "parameter, input and state, at each time step; the rows of a batch are independent; "
        "padding, splitting, reversing, saving and loading change nothing. Each is checked on "
        "random sequences in "
        "double precision, with small sizes. `tinygrad-rnn check` prints the same table.",
    ),
}


def linked(text: str, entry: str) -> str:
    """A number, or its name, with a link to its entry. KeyError if there is none."""
    title, _ = GLOSSARY[entry]
    return (
        f'<a class="means" href="#means-{entry}" '
        f'title="{escaped(say("What it means: {title}", title=say(title)))}">'
        f"{escaped(text)}</a>"
    )


def glossary(used: Iterable[str]) -> str:
    """The entries that a card links to, in their order, as a list of HTML."""
    wanted = set(used)
    return "".join(
        f'<dt id="means-{name}">{escaped(say(title))}</dt><dd>{escaped(say(text))}</dd>'
        for name, (title, text) in GLOSSARY.items()
        if name in wanted
    )
