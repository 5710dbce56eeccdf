"""What the numbers mean: the entry of each, to which every number on a card links."""

from __future__ import annotations

from collections.abc import Iterable

from ..viz.style.text import escaped

__all__ = ["GLOSSARY", "glossary", "linked"]

GLOSSARY: dict[str, tuple[str, str]] = {
    "equations": (
        "Equations",
        "One step was run, and every operation noted. The lines are those operations as "
        "mathematics, for one sequence of a batch. Vectors are columns: W x is a matrix times a "
        "vector, ⊙ a product element by element. A label in brackets, as in W^(f), is the part of "
        "the rows of W that belongs to f. The lines were then read back and evaluated with NumPy: "
        "the error is the largest difference from what the cell itself gives, relative to its "
        "largest number.",
    ),
    "parameters": ("Parameters", "How many numbers are learned. Buffers are not counted."),
    "flops": (
        "FLOPs a step",
        "Floating-point operations of one step of one sequence, counted from the shapes of the "
        "compiled plan: a product of a matrix and a vector is two for each element of the matrix, "
        "any other operation, a tanh included, one for each element. Backward: those that the "
        "gradient takes on top.",
    ),
    "state": ("State", "How many numbers are handed from a step to the next, for one sequence."),
    "jacobian": (
        "Jacobian of the state",
        "The derivatives of the next state by the state, element by element. The gradient through "
        "time is the product of these matrices, one a step. Diagonal: each unit depends on itself "
        "alone. Block: on the units of its block. Dense: on all. Read off the operations, for any "
        "value of the weights.",
    ),
    "affine": (
        "Affine in its state",
        "The next state is A h + b, where A and b may depend on the input in any way, but not on "
        "the state. Read off the operations.",
    ),
    "delayed": (
        "Delayed input",
        "A part of the state that no state enters: the input of the step before, as in "
        "convolutions over time.",
    ),
    "flow": (
        "Gradient flow",
        "The length of the gradient of the last answer's loss with respect to the state, at each "
        "step of a sequence of the task. It enters at the right; where it falls to the left, "
        "earlier steps have less to learn from.",
    ),
    "horizon": (
        "Memory horizon",
        "A gradient of length 1 and random direction at the last state s_T arrives k steps "
        "earlier multiplied by the Jacobian of s_T by s_(T-k). What is left is the root of its "
        "mean squared length: the Frobenius norm of the Jacobian over the root of the number of "
        "states, in the mean over sequences. The horizon is the number of steps back up to which "
        "at least the given share is left. A part of the state that is handed on unchanged, such "
        "as a clock, keeps its gradient for ever. In Python: tg.analysis.memory_horizon.",
    ),
    "lyapunov": (
        "Lyapunov exponents",
        "How fast small changes of the state grow or shrink, in each direction: the mean logarithm "
        "of the factor of a step, from the product of the Jacobians, factored by QR at each step "
        "(Engelken et al. 2020; Vogt et al. 2020). Below 0 the state forgets and the gradient "
        "vanishes, at 0 it is kept, above 0 the dynamics are chaotic and the gradient explodes. "
        "−∞: nothing is handed on. At most the 32 largest. In Python: "
        "tg.analysis.lyapunov_spectrum.",
    ),
    "dimension": (
        "Dimension",
        "The Kaplan-Yorke dimension of what states settle on: how many exponents, from the "
        "largest, add up to 0. 0: all states that see the same inputs come together.",
    ),
    "truncation": (
        "Error of the truncated gradient",
        "The gradient that goes back through k steps only, against the exact one: the length of "
        "the difference over the length of the exact gradient of all parameters. 0 is exact, 1 as "
        "wrong as no gradient at all. The outputs of all steps are weighted at random. In Python: "
        "tg.analysis.truncation_errors.",
    ),
    "loss": (
        "Last loss",
        "The mean loss on sequences that were not trained on, after the last epoch. A guess is the "
        "best answer that does not look at the inputs.",
    ),
    "step": (
        "CPU time of a step",
        "The mean processor time of one step of training, without the first epoch, which "
        "compiles: forward, backward and the optimiser, for one batch of the task.",
    ),
    "speed": (
        "Milliseconds of a training step",
        "The median wall-clock time of the values and all gradients of one batch, after the first "
        "step. NumPy, compiled: this package's two executors. JAX, PyTorch: the cell exported to "
        "them. What else the machine does meanwhile makes them longer. `tinygrad-rnn bench` "
        "measures one at a time, with its memory.",
    ),
    "ratio": (
        "Times an LSTM",
        "The time of the cell over that of an LSTM with as many units, in the same library.",
    ),
    "laws": (
        "Laws",
        "What must hold of every cell: its gradients equal the derivative by every parameter, "
        "input and state, at each time step; the rows of a batch stay apart; padding, splitting, "
        "reversing, saving and loading change nothing. Each is checked on random sequences in "
        "double precision, with small sizes. `tinygrad-rnn check` prints the same table.",
    ),
}


def linked(text: str, entry: str) -> str:
    """A number, or its name, with a link to its entry. KeyError if there is none."""
    title, _ = GLOSSARY[entry]
    return (
        f'<a class="means" href="#means-{entry}" title="What it means: {escaped(title)}">'
        f"{escaped(text)}</a>"
    )


def glossary(used: Iterable[str]) -> str:
    """The entries that a card links to, in their order, as a list of HTML."""
    wanted = set(used)
    return "".join(
        f'<dt id="means-{name}">{escaped(title)}</dt><dd>{escaped(text)}</dd>'
        for name, (title, text) in GLOSSARY.items()
        if name in wanted
    )
