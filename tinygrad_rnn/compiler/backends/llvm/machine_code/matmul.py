"""Matrix products inside compiled loops.

A product in the loop has the same right factor at every step. This factor is packed once, into
panels of as many columns as fit in the registers, and each step's product reads it sequentially.
BLAS packs it again in each call; here it is packed once per sequence, and there is no call.
"""

from __future__ import annotations

from llvmlite import binding

from .builder import Number, Pointer

__all__ = ["PANEL", "ROWS", "pack", "product"]


def _vector_bytes() -> tuple[int, int]:
    """The bytes of a vector register of this processor, and how many sums to keep in registers."""
    features = binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 64, 24
    return (32, 12) if features.get("avx2") else (16, 12)


_BYTES, _SUMS = _vector_bytes()
PANEL = 2 * _BYTES  # bytes of a panel's row: two vectors
ROWS = _SUMS // 6  # tiles that threads share are 2 or 3 times as many rows tall
Index = int | Number
_IN_FLIGHT = 8  # multiply-adds in flight: four cycles, two a cycle


def pack(y: Pointer, panels: Pointer, k: int, n: int, row: int, column: int, width: int) -> None:
    """Pack y (k, n), with the given strides of rows and columns, into panels (k, width)."""
    times = y.writer.range
    whole, rest = divmod(n, width)

    def panel(p: Index, columns: int) -> None:
        for i in times(k):
            for j in times(columns):
                there = y[i * row + (p * width + j) * column]
                panels[p * (k * width) + (i * width + j)] = there

    for p in times(whole):
        panel(p, width)
    if rest:
        panel(whole, rest)


def product(
    x: Pointer,
    y: Pointer,
    out: Pointer,
    m: int,
    k: int,
    n: int,
    steps: tuple[int, ...],
    share: tuple[Number, Number, Number] | None = None,
) -> None:
    """out (m, n) = x (m, k) @ y (k, n).

    `steps`: strides in elements: of the rows and the columns of x, of the rows of y and of out, and
    from one panel of y to the next. `share`: the rows of one thread, as the first row and the
    numbers of tall and short tiles that follow. A row has the same bits for any share.
    """
    _Product(x, y, out, m, k, n, *steps, share=share).write()


class _Product:
    """The instructions of a product: tiles of the result that stay in registers over all of k."""

    def __init__(
        self, x: Pointer, y: Pointer, out: Pointer, m: int, k: int, n: int,
        row_x: int, column_x: int, row_y: int, row_out: int, panel: int,
        *, share: tuple[Number, Number, Number] | None,
    ) -> None:  # fmt: skip
        self.x, self.y, self.out, self.m, self.k, self.n = x, y, out, m, k, n
        self.row_x, self.column_x = row_x, column_x
        self.row_y, self.row_out, self.panel = row_y, row_out, panel
        self.share = share
        self.times = x.writer.range
        self.lanes = _BYTES // x.dtype.itemsize

    def write(self) -> None:
        width = PANEL // self.x.dtype.itemsize
        panels, rest = divmod(self.n, width)
        for p in self.times(panels):
            self._columns(p * self.panel, p * width, width)
        done = panels * width
        while rest:  # columns beyond the last whole panel: the largest power of two at a time
            part = min(1 << (rest.bit_length() - 1), width)
            self._columns(panels * self.panel + done % width, done, part)
            done, rest = done + part, rest - part

    def _columns(self, start: Index, column: Index, width: int) -> None:
        """The columns of the result from one on. In y, they start at `start`."""
        if self.share is not None:
            self._shared_columns(self.y + start, column, width, *self.share)
            return
        vectors = -(-width // self.lanes)
        rows = min(self.m, _SUMS // vectors)
        blocks = -(-self.m // rows)
        rows = -(-self.m // blocks)  # blocks of nearly equal height
        whole, rest = divmod(self.m, rows)
        y = self.y + start
        for block in self.times(whole):
            self._tile(block * rows, rows, y, column, width)
        if rest:
            self._tile(whole * rows, rest, y, column, width)

    def _shared_columns(
        self, y: Pointer, column: Index, width: int, row: Number, tall: Number, short: Number
    ) -> None:
        """The columns of the rows of one thread. Where no whole tile is left, tiles overlap."""
        for rows, blocks in ((3 * ROWS, tall), (2 * ROWS, short)):
            for block in self.times(0, blocks):
                first = row + block * rows
                if self.m % ROWS:
                    last = self.m - rows
                    first = self.x.writer.where(first < last, first, last)
                self._tile(first, rows, y, column, width)
            row = row + blocks * rows

    def _tile(self, row: Index, rows: int, y: Pointer, column: Index, width: int) -> None:
        """rows x width elements of the result, from a row and a column on."""
        lanes = min(width, self.lanes)
        vectors = width // lanes
        chains = max(1, min(_IN_FLIGHT // (rows * vectors), self.k)) if self.share is None else 1
        zero = self.x.writer.number(0.0, self.x.dtype).everywhere(lanes)
        sums = [zero] * (chains * rows * vectors)
        x = self.x + row * self.row_x

        def step(i: Index, chain: int) -> None:
            columns = [y.vector(i * self.row_y + v * lanes, lanes) for v in range(vectors)]
            for r in range(rows):
                factor = x[i * self.column_x + r * self.row_x].everywhere(lanes)
                for v in range(vectors):
                    place = (chain * rows + r) * vectors + v
                    sums[place] = sums[place] + factor * columns[v]

        whole, rest = divmod(self.k, chains)
        for i in self.times(whole, carried=sums):
            for chain in range(chains):
                step(i * chains + chain, chain)
        for i in range(rest):
            step(whole * chains + i, i)
        for r in range(rows):
            out = self.out + ((row + r) * self.row_out + column)
            for v in range(vectors):
                parts = sums[r * vectors + v :: rows * vectors]
                out.write_vector(v * lanes, sum(parts[1:], parts[0]))
