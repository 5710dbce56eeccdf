"""The structure of a cell's step, and what follows from it, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..compiler.report import PlanReport, StateLine
from ..language import say

__all__ = ["Fact", "facts"]


class Fact(NamedTuple):
    """A fact about a step, and what follows from it."""

    says: str
    therefore: str
    means: str  # the entry of the glossary


def facts(plan: PlanReport) -> list[Fact]:
    """The facts in a plan."""
    return [*_jacobian(plan.state), *_affine(plan.state), *_delayed(plan.state), *_loop(plan)]


def _jacobian(lines: Sequence[StateLine]) -> Iterator[Fact]:
    parts = [line for line in lines if line.on]
    own = [p for p in parts if p.on == p.name]
    dense = [p for p in parts if p.kind == "dense"]
    block = [p for p in parts if p.kind == "block"]
    diagonal = [p for p in own if p.kind == "diagonal"]
    if parts and not dense and not block and len(diagonal) == len(own):
        yield Fact(
            say(
                "Each unit of the next state depends on that unit alone (the Jacobian is diagonal)."
            ),
            say(
                "The gradient of a unit through time is a product of single numbers: it cannot "
                "mix or rotate, and exact real-time recurrent learning costs no more than a "
                "forward step for each parameter."
            ),
            "jacobian",
        )
    for p in block:
        yield Fact(
            say(
                "{part} depends on {state} in blocks{because}.",
                part=_upper(p.name),
                state=p.on,
                because=_because(p),
            ),
            say("Units of different blocks do not mix within a step."),
            "jacobian",
        )
    if dense:
        names = _listed([say("{part} on {state}", part=p.name, state=p.on) for p in dense])
        yield Fact(
            say(
                "The Jacobian of the step is dense{because}: {names}, every unit on every unit.",
                because=_because(dense[0]),
                names=names,
            ),
            say(
                "The gradient is multiplied by a matrix at every step. Its growth is given by "
                "the Lyapunov exponents, not by any single weight."
            ),
            "jacobian",
        )
    if dense and diagonal:
        names = _listed([p.name for p in diagonal])
        yield Fact(
            say("{names} also reaches the next step unit by unit.", names=_upper(names))
            if _is_one(diagonal)
            else say("{names} also reach the next step unit by unit.", names=_upper(names)),
            say(
                "On that path no matrix multiplies the gradient: a gate near 1 passes it on "
                "unchanged."
            ),
            "jacobian",
        )


def _affine(lines: Sequence[StateLine]) -> Iterator[Fact]:
    bent = [line for line in lines if line.kind == "not affine"]
    straight = [line for line in lines if line.kind == "affine"]
    if straight and not bent:
        yield Fact(
            say("The next state is affine in the state: A h + b."),
            say(
                "A and b depend on the input alone, so all steps can be computed at once, in "
                "parallel over time, and the factors of the gradient do not depend on the state."
            ),
            "affine",
        )
    elif bent:
        names = _upper(_listed([b.name for b in bent]))
        because = _because(bent[0])
        says = (
            say("{names} is not affine in the state{because}.", names=names, because=because)
            if _is_one(bent)
            else say("{names} are not affine in the state{because}.", names=names, because=because)
        )
        if straight:
            names = _upper(_listed([s.name for s in straight]))
            is_or_are = say("{names} is.") if _is_one(straight) else say("{names} are.")
            says += " " + is_or_are.format(names=names)
        yield Fact(
            says,
            say(
                "The steps must run one after another. The Jacobian depends on the state, so the "
                "factor of the gradient differs from sequence to sequence."
            ),
            "affine",
        )


def _delayed(lines: Sequence[StateLine]) -> Iterator[Fact]:
    delayed = [line.name for line in lines if line.kind == "delayed input"]
    if delayed:
        yield Fact(
            say(
                "{names}: an input kept for the next step, independent of the state.",
                names=_upper(_listed(delayed)),
            ),
            say(
                "Its gradient goes back one step and no further, and it is computed for all "
                "steps at once."
            ),
            "delayed",
        )


def _loop(plan: PlanReport) -> Iterator[Fact]:
    whole, loop = plan.total("forward").flops, plan.total("forward", "loop").flops
    if not loop:
        yield Fact(
            say("No loop over time is needed."),
            say(
                "The whole layer is a few operations on all steps at once, however long the "
                "sequence."
            ),
            "flops",
        )
    else:
        yield Fact(
            say(
                "{share:.0%} of the arithmetic of a forward pass must run in the loop over time.",
                share=loop / whole if whole else 0.0,
            ),
            say(
                "The rest does not depend on the state: it is computed for all steps at once, "
                "which is several times as fast."
            ),
            "flops",
        )


def _is_one(lines: Sequence[StateLine]) -> bool:
    return len({line.name for line in lines}) == 1


def _because(line: StateLine) -> str:
    if not line.because:
        return ""
    if not line.sources:
        return say(", because of {op}", op=line.because)
    place = line.sources[0].replace("\\", "/").rpartition("/")[2]
    return say(", because of {op} ({place})", op=line.because, place=place)


def _listed(words: Sequence[str]) -> str:
    words = list(dict.fromkeys(words))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])}{say(' and ')}{words[-1]}"


def _upper(text: str) -> str:
    """A sentence's first letter in upper case, but not the name of a single letter."""
    return text if len(text.split()[0].rstrip(",")) == 1 else text[:1].upper() + text[1:]
