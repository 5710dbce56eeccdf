"""Matrix products inside compiled loops.

A product at each step has the same right factor in all of them: it is laid out once, in panels of
as many columns as the registers hold, and each step's product reads it from front to back. That is
what BLAS does inside each call; here it is done once a sequence, and there is no call.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from .mathematics import FAST

__all__ = ["PANEL", "pack", "product"]


def _vector_bytes() -> tuple[int, int]:
    """The bytes of a vector register of this processor, and how many sums to keep in registers."""
    features = binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 64, 24
    return (32, 12) if features.get("avx2") else (16, 12)


_BYTES, _SUMS = _vector_bytes()
PANEL = 2 * _BYTES  # bytes of a panel's row: two vectors
_IN_FLIGHT = 8  # multiply-adds that a processor has begun but not ended: four cycles, two a cycle


@njit(**FAST)
def pack(y: Any, panels: Any, k: int, n: int, row: int, column: int, width: int) -> None:
    """Lay out y (k, n), its rows and columns so far apart, in panels (k, width) one by one."""
    for first in range(0, n, width):
        for i in range(k):
            for j in range(min(width, n - first)):
                panels[first * k + i * width + j] = y[i * row + (first + j) * column]


@intrinsic(prefer_literal=True)
def product(typing: Any, x: Any, y: Any, out: Any, m: Any, k: Any, n: Any, steps: Any) -> Any:
    """out (m, n) = x (m, k) @ y (k, n), all sizes literal.

    `steps`, literals too: elements from one row of x to the next, from one column of x to the
    next, from row to row of y and of out, and from one panel of y to the next.
    """
    if not all(isinstance(t, types.Literal) for t in (m, k, n, *steps)):
        return None
    sizes = [t.literal_value for t in (m, k, n, *steps)]

    def written(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = context.get_value_type(x.dtype)
        _Product(builder, number, *arguments[:3], *sizes).write()
        return context.get_dummy_value()

    return types.void(x, y, out, m, k, n, steps), written


class _Product:
    """The instructions of a product: tiles of the result that stay in registers over all of k."""

    def __init__(
        self, builder: Any, number: Any, x: Any, y: Any, out: Any, m: int, k: int, n: int,
        row_x: int, column_x: int, row_y: int, row_out: int, panel: int,
    ) -> None:  # fmt: skip
        self.builder, self.number, self.x, self.y, self.out = builder, number, x, y, out
        self.m, self.k, self.n = m, k, n
        self.row_x, self.column_x = row_x, column_x
        self.row_y, self.row_out, self.panel = row_y, row_out, panel
        self.size = 8 if isinstance(number, ir.DoubleType) else 4
        self.lanes = _BYTES // self.size

    def write(self) -> None:
        width = PANEL // self.size
        panels, rest = divmod(self.n, width)
        self._repeat(panels, lambda p: self._columns(p, 0, width))
        start = 0
        while rest:  # columns beyond the last whole panel: the largest power of two at a time
            part = min(1 << (rest.bit_length() - 1), width)
            self._columns(ir.Constant(_INDEX, panels), start, part)
            start, rest = start + part, rest - part

    def _columns(self, panel: Any, start: int, width: int) -> None:
        vectors = -(-width // self.lanes)
        rows = min(self.m, _SUMS // vectors)
        blocks = -(-self.m // rows)
        rows = -(-self.m // blocks)  # blocks of nearly equal height
        whole, rest = divmod(self.m, rows)
        self._repeat(
            whole, lambda block: self._tile(self._times(block, rows), rows, panel, start, width)
        )
        if rest:
            self._tile(ir.Constant(_INDEX, whole * rows), rest, panel, start, width)

    def _tile(self, row: Any, rows: int, panel: Any, start: int, width: int) -> None:
        """rows x width elements of the result."""
        builder = self.builder
        lanes = min(width, self.lanes)
        vectors = width // lanes
        kind = ir.VectorType(self.number, lanes) if lanes > 1 else self.number
        chains = max(1, min(_IN_FLIGHT // (rows * vectors), self.k))
        zero = ir.Constant(kind, None if lanes > 1 else 0.0)
        sums = [
            [
                [cgutils.alloca_once_value(builder, zero) for _ in range(vectors)]
                for _ in range(rows)
            ]
            for _ in range(chains)
        ]
        for chain in sums:
            for place in (p for of_row in chain for p in of_row):
                builder.store(zero, place)
        x = builder.gep(self.x, [self._times(row, self.row_x)])
        y = builder.gep(self.y, [self._plus(self._times(panel, self.panel), start)])

        def step(i: Any, chain: int) -> None:
            there = builder.gep(y, [self._times(i, self.row_y)])
            columns = [self._load(there, v * lanes, kind) for v in range(vectors)]
            for r in range(rows):
                at = builder.gep(x, [self._plus(self._times(i, self.column_x), r * self.row_x)])
                factor = self._everywhere(builder.load(at), kind)
                for v in range(vectors):
                    place = sums[chain][r][v]
                    part = builder.fmul(factor, columns[v], flags=("contract",))
                    total = builder.fadd(builder.load(place), part, flags=("contract",))
                    builder.store(total, place)

        whole, rest = divmod(self.k, chains)

        def round_(i: Any) -> None:
            for chain in range(chains):
                step(self._plus(self._times(i, chains), chain), chain)

        self._repeat(whole, round_)
        for i in range(rest):
            step(ir.Constant(_INDEX, whole * chains + i), i)
        first = self._plus(self._times(panel, PANEL // self.size), start)
        for r in range(rows):
            line = self._times(self._plus(row, r), self.row_out)
            out = builder.gep(self.out, [builder.add(line, first)])
            for v in range(vectors):
                total = builder.load(sums[0][r][v])
                for chain in sums[1:]:
                    total = builder.fadd(total, builder.load(chain[r][v]))
                place = builder.gep(out, [ir.Constant(_INDEX, v * lanes)])
                builder.store(total, builder.bitcast(place, kind.as_pointer()), align=self.size)

    def _load(self, pointer: Any, offset: int, kind: Any) -> Any:
        at = self.builder.gep(pointer, [ir.Constant(_INDEX, offset)])
        return self.builder.load(self.builder.bitcast(at, kind.as_pointer()), align=self.size)

    def _everywhere(self, number: Any, kind: Any) -> Any:
        """The number in each lane."""
        if not isinstance(kind, ir.VectorType):
            return number
        nothing = ir.Constant(kind, ir.Undefined)
        one = self.builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
        order = ir.Constant(ir.VectorType(ir.IntType(32), kind.count), None)
        return self.builder.shuffle_vector(one, nothing, order)

    def _repeat(self, times: int, write: Any) -> None:
        if times == 1:
            write(ir.Constant(_INDEX, 0))
        elif times:
            with cgutils.for_range(self.builder, ir.Constant(_INDEX, times), intp=_INDEX) as loop:
                write(loop.index)

    def _times(self, i: Any, n: int) -> Any:
        return self.builder.mul(i, ir.Constant(_INDEX, n))

    def _plus(self, i: Any, n: int) -> Any:
        return self.builder.add(i, ir.Constant(_INDEX, n)) if n else i


_INDEX = ir.IntType(64)
