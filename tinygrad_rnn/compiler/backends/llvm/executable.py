"""An executable whose loop is one compiled function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import Any, NamedTuple

import numpy as np

from ...ir.cost import loop_seconds
from ...ir.instruction import Instruction
from ...ir.schedule import Schedule
from ...memory.allocation import Arrays
from ...passes.sinking import fits_in_loop, is_light, is_simple, sink_into_loop
from ..numpy.executable import Executable
from ..threads import ranges, run_parts
from .loop_text.expressions import CannotCompile
from .loop_text.loop import LoopText
from .loop_text.place import Place
from .loop_text.rows import FEWEST, DependentRows, tiles
from .machine_code.code_cache import compiled
from .machine_code.matmul import ROWS

__all__ = ["CannotCompile", "CompiledExecutable"]

# Seconds of work, as `loop_seconds` estimates them, that are worth starting a thread; about a third
# of that in wall-clock time. And the most steps in a chunk of a large batch.
WORTH_SHARING, LONGEST = 6e-4, 64


class CompiledExecutable(Executable):
    """One direction of a scheduled scan, whose loop is compiled.

    `CannotCompile` if the loop has an instruction without a compiled form.
    """

    mask = 0.03

    def __init__(self, name: str, schedule: Schedule, *arguments: Any, **keywords: Any) -> None:
        # What NumPy does outside the loop, because it is not compiled or because it combines rows.
        outside: set[Instruction] = set()
        joining: set[Instruction] = set()
        own = set(schedule.stages["loop"])
        self._sharing = True  # whether threads may share the rows of the batch

        def sinks(value: Instruction) -> bool:
            fits = is_light(value) or fits_in_loop(value, schedule.time_varying)
            return fits and value not in outside and value not in joining

        while True:
            sunk = sink_into_loop(schedule, sinks)
            try:
                super().__init__(name, sunk, *arguments, **keywords)
                return
            except DependentRows as reason:
                joining.add(reason.value)
                if reason.value not in sunk.stages["loop"] or reason.value in own:
                    self._sharing, joining, outside = False, set(), set()
            except CannotCompile as reason:
                moved = [value for value in sunk.stages["loop"] if value not in own]
                if reason.value is None:
                    found = {value for value in moved if not is_simple(value)}
                else:
                    found = {value for value in moved if value is reason.value}
                if not found and not joining:
                    raise
                if not found:
                    self._sharing, joining, outside = False, set(), set()
                outside |= found

    def _fixed(self) -> list[Instruction]:
        loop = self.schedule.stages["loop"]
        read = dict.fromkeys(x for v in loop for x in v.inputs if isinstance(x, Instruction))
        return [x for x in read if not self.schedule.time_varying(x)]

    def _batch_last(self, ahead: Executable | None) -> bool:
        return False  # a compiled loop gains nothing from it

    def _loop(self) -> list[str]:
        if not self.schedule.stages["loop"]:
            self._places: list[Place] = []
            self._checks: Checks | None = None
            self.loop_source = ""
            return []
        text = self._text()
        self._places = text.places
        self._checks = Checks(text.wrong, text.checks) if text.wrong is not None else None
        self.loop_source = text.text
        try:
            self._namespace["loop"] = self._compiled(text)
        except (TypeError, RuntimeError) as reason:  # LLVM's errors are RuntimeErrors
            raise CannotCompile(f"something in the loop ({reason})") from reason
        return ["loop(steps, rows.address)", *(["rows.check()"] if self._checks else [])]

    def _text(self) -> LoopText:
        """The text of the loop: for threads that share the rows of the batch, if that helps."""
        arguments = self.schedule, self._trial, self.layout.reverse
        self._seconds = loop_seconds(self.schedule)
        rows = max((value.shape[0] for value in self.schedule.carry_in if value.shape), default=1)
        worth_it = rows >= 2 * FEWEST and LONGEST * self._seconds >= 2 * WORTH_SHARING
        return LoopText(*arguments, rows if worth_it and self._sharing else None)

    def _compiled(self, text: LoopText) -> Callable[[int, int], None]:
        if text.rows is None:
            (loop,) = compiled(text.text, ["loop"], 2)
            return loop
        prepare, loop = compiled(text.text, ["prepare", "loop"], 6)
        return partial(_shared, prepare, loop, text.rows, self._seconds)

    def _rows(self, arrays: Arrays, steps: int) -> Any:
        return _Table(self._places, arrays, self.layout.reverse, self._checks)


def _shared(
    prepare: Callable[..., None],
    loop: Callable[..., None],
    rows: int,
    seconds: float,
    steps: int,
    table: int,
) -> None:
    """Run a loop over that many steps, on as many threads as help.

    `seconds`: the time of a step.
    """
    least = max(FEWEST, ceil(rows * WORTH_SHARING / (steps * seconds)))
    shares = [(first, last, *tiles(last - first)) for first, last in ranges(rows, ROWS, least)]
    prepare(steps, table, *shares[0])
    if len(shares) == 1:
        loop(steps, table, *shares[0])
    else:
        run_parts([partial(loop, steps, table, *share) for share in shares])


class Checks(NamedTuple):
    """The bounds checks of a loop: indices along axes, given by number and size.

    `wrong`: where the loop stores the first index that is out of bounds.
    """

    wrong: Place
    axes: list[tuple[int, int]]


class _Table:
    """The addresses that a loop works on."""

    def __init__(
        self, places: Sequence[Place], arrays: Arrays, backwards: bool, checks: Checks | None
    ) -> None:
        self._arrays = [_array(place, arrays) for place in places]
        self._addresses = np.array(
            [p.address(array, backwards) for p, array in zip(places, self._arrays, strict=True)],
            np.uint64,
        )
        self.address = self._addresses.ctypes.data
        self._checks = checks
        self._wrong: Any = None if checks is None else self._arrays[places.index(checks.wrong)]

    def check(self) -> None:
        """IndexError if an index in the loop was out of bounds."""
        assert self._checks is not None and self._wrong is not None
        number, place = (int(x) for x in self._wrong)
        if number:
            self._wrong[:] = 0
            axis, size = self._checks.axes[number - 1]
            raise IndexError(
                f"index {place} is out of bounds for axis {axis} with size {size}, in a step"
            )


def _array(place: Place, arrays: Arrays) -> Any:
    return arrays[place.source] if isinstance(place.source, Instruction) else np.array(place.source)
