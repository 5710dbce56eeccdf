"""Loop distribution: parts of a loop that can run separately move before or after it.

Carries that depend on each other, directly or not, stay together: a strongly connected component of
the dependence graph (Allen & Kennedy 1987). A component that depends on no other carry of the loop
moves before it. A component on which no other carry depends moves after it. Both require that all
its steps can be computed at once:

* a delayed input, whose next value depends on no carry, is an array shifted by one step;
* sample and hold, a delayed input in a padded batch, takes the last value that was selected;
* an affine recurrence of small states is solved in blocks of time.

Instructions that depend only on such a component leave the loop with it, such as a product of
weights with the previous input. The gradient of a delayed input leaves the backward loop in the
other direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ..ir.instruction import Instruction, inputs_of
from ..ir.program import Program
from ..ir.rewrite import Substitution
from ..ir.schedule import Schedule, Stage
from ..ir.step import needed_for
from .affine_recurrence import affine_in_carries, choice_of, held, recurrences
from .builder import Builder

__all__ = ["distribute_loop"]

# Measured by tests/benchmarks/linear_recurrence.py: with larger states the loop's ufuncs spend
# their time on elements rather than calls, and reading the elements twice costs more.
MOST_ELEMENTS = 256

Carries = dict[Instruction, Instruction]  # the next carry of each carry of a component


def distribute_loop(program: Program) -> Program:
    """Needs schedules. Guarantees that delayed inputs and small affine recurrences are outside.

    The exceptions are those that depend on the rest of the loop while the rest depends on them.
    """
    assert program.forward is not None
    forward, renamed = _Distribution(program.forward).distributed()
    backward = program.backward
    if backward is not None:
        backward, _ = _Distribution(backward.substituted(renamed)).distributed()
    return replace(program, forward=forward, backward=backward)


class _Distribution:
    """The loop of a schedule while components of it are being moved."""

    def __init__(self, schedule: Schedule) -> None:
        self.builder = Builder.of(schedule)
        self.loop = list(schedule.stages["loop"])
        self.next = dict(zip(schedule.carry_in, schedule.carry_out, strict=True))
        self.renamed = Substitution()
        self._unchanged = schedule
        self._batchable: dict[tuple[Instruction, tuple[bool, ...]], bool] = {}

    def distributed(self) -> tuple[Schedule, Substitution]:
        """The schedule without what left its loop, and the replacements of next carries."""
        while self._one_moved(self._components()):
            pass
        if len(self.next) == len(self._unchanged.carry_in):
            return self._unchanged, self.renamed
        self.builder.stages["loop"] = self.loop
        return self.builder.schedule().substituted(self.renamed), self.renamed

    # Dependences

    def _components(self) -> list[Carries]:
        """The carries of the loop, grouped into those that depend on each other."""
        reached = {carry: self._carries_behind([new]) for carry, new in self.next.items()}
        for middle in self.next:  # the transitive closure, by Warshall's algorithm
            for carry, behind in reached.items():
                if middle in behind:
                    reached[carry] = behind | reached[middle]
        found: dict[frozenset[Instruction], Carries] = {}
        for carry, behind in reached.items():
            together = frozenset({carry, *(c for c in behind if carry in reached[c])})
            found.setdefault(together, {})[carry] = self.next[carry]
        return list(found.values())

    def _carries_behind(self, values: Sequence[Instruction]) -> set[Instruction]:
        behind = {x for v in needed_for(values, self.loop) for x in v.depends_on}
        return {carry for carry in self.next if carry in behind or carry in values}

    def _depending_on(self, carries: Iterable[Instruction]) -> list[Instruction]:
        """The instructions of the loop that depend on these carries."""
        found = set(carries)
        for value in self.loop:
            if not found.isdisjoint(value.depends_on):
                found.add(value)
        return [value for value in self.loop if value in found]

    def _is_batchable(self, value: Instruction) -> bool:
        varying = tuple(isinstance(x, Instruction) and not self.builder.is_invariant(x)
                        for x in value.inputs)  # fmt: skip
        if (value, varying) not in self._batchable:
            self._batchable[value, varying] = value.traits.pure and value.can_batch(varying)
        return self._batchable[value, varying]

    # Moving a component

    def _one_moved(self, components: Sequence[Carries]) -> bool:
        return any(map(self._moved_before, components)) or any(map(self._moved_after, components))

    def _moved_before(self, component: Carries) -> bool:
        """Move it before the loop, if it depends on nothing else there."""
        if self._carries_behind([*component.values()]) - component.keys():
            return False
        own = {*self._depending_on(component)}
        needed = {*needed_for(component.values(), self.loop)}
        others = {*self._depending_on(c for c in self.next if c not in component)}
        leaving = []
        staying = {v for v in self.loop if v in others or v not in own | needed}
        for value in self.loop:
            if value not in staying:
                if staying.isdisjoint(value.depends_on) and self._is_batchable(value):
                    leaving.append(value)
                else:
                    staying.add(value)
        return needed.issubset(leaving) and self._moved(component, leaving, "before")

    def _moved_after(self, component: Carries) -> bool:
        """Move it after the loop, if nothing else there depends on it."""
        own = {*self._depending_on(component), *component.values()}
        rest = [new for carry, new in self.next.items() if carry not in component]
        if not own.isdisjoint(rest):
            return False
        single = [v for v in self.loop if not self._is_batchable(v)]
        staying = {*needed_for([*rest, *single], self.loop)}
        leaving = [value for value in self.loop if value not in staying]
        return own.issubset(leaving) and self._moved(component, leaving, "after")

    def _moved(self, component: Carries, leaving: Sequence[Instruction], stage: Stage) -> bool:
        """Move the component, if all its steps can be computed at once."""
        builder, own = self.builder, {*self._depending_on(component)}
        chain = [v for v in needed_for(component.values(), self.loop) if v in own]
        solve = self._solver(component, chain)
        if solve is None:
            return False
        later = builder.start_again(stage) if stage == "after" else []
        for value in leaving:
            if value not in own:
                builder.place(value, stage)
        for old, new in solve().items():
            builder.place(new, stage)
            self.renamed.add(old, new)
        for value in leaving:
            if value in own and value not in component.values():
                builder.place(value, stage)
        builder.stages[stage] += later
        for carry in component:
            builder.stage_of[carry] = stage
            del self.next[carry]
        gone = {*leaving}
        self.loop = [value for value in self.loop if value not in gone]
        return True

    def _solver(
        self, component: Carries, chain: Sequence[Instruction]
    ) -> Callable[[], Carries] | None:
        """Makers of the instructions that compute all steps at once, by what they replace.

        None if that is impossible, or if the loop is as fast.
        """
        (carry, new), *further = component.items()
        if not further and not chain:  # a delayed input
            return dict
        choice = None if further else choice_of(carry, new)
        if choice is not None and {*chain}.isdisjoint(inputs_of(choice[:2])):
            return lambda: {new: held(self.builder, carry, new, choice)}
        small = all(c.sample.size <= MOST_ELEMENTS for c in component)
        if small and affine_in_carries(chain, component):
            return lambda: recurrences(self.builder, chain, component)
        return None
