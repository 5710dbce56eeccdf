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
