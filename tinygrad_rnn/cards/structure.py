"""The structure of a cell's step, and what follows from it, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..compiler.report import PlanReport, StateLine

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
            "Each unit of the next state depends on that unit alone (the Jacobian is diagonal).",
            "The gradient of a unit through time is a product of single numbers: it cannot mix or "
            "rotate, and exact real-time recurrent learning costs no more than a forward step for "
            "each parameter.",
            "jacobian",
        )
    for p in block:
        yield Fact(
            f"{_upper(p.name)} depends on {p.on} in blocks{_because(p)}.",
            "Units of different blocks do not mix within a step.",
            "jacobian",
        )
    if dense:
        names = _listed([f"{p.name} on {p.on}" for p in dense])
        yield Fact(
            f"The Jacobian of the step is dense{_because(dense[0])}: {names}, every unit on every "
            "unit.",
            "The gradient is multiplied by a matrix at every step. Its growth is given by the "
            "Lyapunov exponents, not by any single weight.",
            "jacobian",
        )
    if dense and diagonal:
        names = _listed([p.name for p in diagonal])
        yield Fact(
            f"{_upper(names)} also {_reaches(diagonal)} the next step unit by unit.",
            "On that path no matrix multiplies the gradient: a gate near 1 passes it on unchanged.",
            "jacobian",
        )


def _affine(lines: Sequence[StateLine]) -> Iterator[Fact]:
    bent = [line for line in lines if line.kind == "not affine"]
    straight = [line for line in lines if line.kind == "affine"]
    if straight and not bent:
        yield Fact(
            "The next state is affine in the state: A h + b.",
            "A and b depend on the input alone, so all steps can be computed at once, in parallel "
            "over time, and the factors of the gradient do not depend on the state.",
            "affine",
        )
    elif bent:
        kept = (
            f" {_upper(_listed([s.name for s in straight]))} {_is(straight)}." if straight else ""
        )
        yield Fact(
            f"{_upper(_listed([b.name for b in bent]))} {_is(bent)} not affine in the state"
            f"{_because(bent[0])}.{kept}",
            "The steps must run one after another. The Jacobian depends on the state, so the "
            "factor of the gradient differs from sequence to sequence.",
            "affine",
        )


def _delayed(lines: Sequence[StateLine]) -> Iterator[Fact]:
    delayed = [line.name for line in lines if line.kind == "delayed input"]
    if delayed:
        yield Fact(
            f"{_upper(_listed(delayed))}: an input kept for the next step, independent of the "
            "state.",
            "Its gradient goes back one step and no further, and it is computed for all steps at "
            "once.",
            "delayed",
        )


def _loop(plan: PlanReport) -> Iterator[Fact]:
    whole, loop = plan.total("forward").flops, plan.total("forward", "loop").flops
    share = loop / whole if whole else 0.0
    if not loop:
        yield Fact(
            "No loop over time is needed.",
            "The whole layer is a few operations on all steps at once, however long the sequence.",
            "flops",
        )
    else:
        yield Fact(
            f"{share:.0%} of the arithmetic of a forward pass must run in the loop over time.",
            "The rest does not depend on the state: it is computed for all steps at once, which "
            "is several times as fast.",
            "flops",
        )


def _reaches(lines: Sequence[StateLine]) -> str:
    return "reaches" if len({line.name for line in lines}) == 1 else "reach"


def _is(lines: Sequence[StateLine]) -> str:
    return "is" if len({line.name for line in lines}) == 1 else "are"


def _because(line: StateLine) -> str:
    where = line.sources[0].replace("\\", "/").rpartition("/")[2] if line.sources else ""
    place = f" ({where})" if where else ""
    return f", because of {line.because}{place}" if line.because else ""


def _listed(words: Sequence[str]) -> str:
    words = list(dict.fromkeys(words))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _upper(text: str) -> str:
    return text if len(text.split()[0]) == 1 else text[:1].upper() + text[1:]
