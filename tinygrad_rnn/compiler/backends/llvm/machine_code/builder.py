"""Writer: the text of a loop, run once on values that write LLVM instructions.

The text is Python, and Python runs it. But its numbers represent registers of the compiled loop,
its `range` writes a loop, and each operator writes an instruction of LLVM's assembly language. So
no type inference is needed: every number knows its dtype.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from llvmlite import binding

__all__ = ["Number", "Pointer", "Writer"]

_INDEX = np.dtype(np.int64)
_BOOL = np.dtype(bool)
_FAST = "contract"  # a product and a sum may become one instruction, which rounds once


class Writer:
    """A module in LLVM's assembly language that grows as the text of a loop is run."""

    def __init__(self) -> None:
        self._parts: dict[str, str] = {}  # what is complete: functions, declarations, tables
        self.lines: list[str] = []  # of the function that is being written
        self._block = ""  # the label of its last block

    def module(self) -> str:
        """All that was written."""
        return "\n".join(self._parts.values())

    def result(self, text: str) -> str:
        """The register that an instruction writes its result to."""
        register = f"%r{len(self.lines)}"
        self.lines.append(f"{register} = {text}")
        return register

    def function(self, body: Callable[..., None]) -> Callable[..., None]:
        """A separate function, written at its first call."""
        written: list[str] = []

        def call(*arguments: Number | Pointer) -> None:
            if not written:
                written.append(self.write(body, [(type(x), x.dtype) for x in arguments]))
            self.lines.append(
                f"call void {written[0]}({', '.join(f'{x.kind} {x}' for x in arguments)})"
            )

        return call

    def write(self, body: Callable[..., None], kinds: Sequence[Any], public: bool = False) -> str:
        """The function whose body is `body`. No two addresses passed to it may share memory.

        Without that promise LLVM has to compare the address of every array that a loop writes with
        every other one, and does not vectorise loops over many arrays. Vectors have the full length
        that the processor supports; by default LLVM would use only half the length of AVX-512.
        """
        outer, self.lines, self._block = (self.lines, self._block), [], "entry"
        given = [of(self, f"%a{k}", dtype) for k, (of, dtype) in enumerate(kinds)]
        body(*given)
        promise = {Number: "", Pointer: "noalias "}
        arguments = ", ".join(f"{x.kind} {promise[type(x)]}{x}" for x in given)
        name, seen = f"@{body.__name__}", "" if public else "internal "
        head = f"define {seen}void {name}({arguments}) nounwind {'' if public else 'noinline '}"
        head += '"prefer-vector-width"="512" {'
        self._parts[name] = "\n".join([head, "entry:", *self.lines, "ret void", "}"])
        self.lines, self._block = outer
        return name

    def address(self, whole: Number, dtype: Any) -> Pointer:
        """The memory at an address, as elements of a dtype."""
        dtype = np.dtype(dtype)
        value = self.result(f"inttoptr i64 {whole} to {_pointer(_kind(dtype))}")
        return Pointer(self, value, dtype)

    def number(self, x: Any, dtype: Any) -> Number:
        """A number in a dtype: converted if it is a Number, else a constant."""
        dtype = np.dtype(dtype)
        return x.astype(dtype) if isinstance(x, Number) else Number(self, _text(x, dtype), dtype)

    def table(self, numbers: Sequence[float], dtype: Any) -> Pointer:
        """Numbers that are known when the loop is written, in memory that nothing writes to."""
        dtype = np.dtype(dtype)
        kind, name = _kind(dtype), f"@table_{dtype}_{id(numbers)}"
        whole = f"[{len(numbers)} x {kind}]"
        content = ", ".join(f"{kind} {_text(x, dtype)}" for x in numbers)
        self._parts[name] = f"{name} = internal constant {whole} [{content}]"
        value = self.result(f"bitcast {_pointer(whole)} {name} to {_pointer(kind)}")
        return Pointer(self, value, dtype)

    def range(
        self, first: int | Number, end: int | Number | None = None, *, carried: Any = None
    ) -> Iterator[Any]:
        """`for i in range(n)`, or from `first` to `end`: the body runs once, written as a loop.

        The list `carried` holds the numbers passed from one iteration to the next. The body reads
        them and replaces them.
        """
        first, end = (0, first) if end is None else (first, end)
        known = isinstance(first, int) and isinstance(end, int)
        if isinstance(first, int) and isinstance(end, int) and end - first < 2:
            yield from range(first, end)
            return
        carried = [] if carried is None else carried
        start, last = self.number(first, _INDEX), self.number(end, _INDEX)
        before, place = self._block, len(self.lines)
        body, behind = f"again_{place}", f"on_{place}"
        if known:
            self.lines.append(f"br label %{body}")
        else:
            assert not carried
            self.lines.append(f"br i1 {start < last}, label %{body}, label %{behind}")
        self._begin(body)
        given = [start, *carried]
        place = len(self.lines)
        now = [Number(self, self.result("phi"), x.dtype, x.lanes) for x in given]
        i, *carried[:] = now
        yield i
        following = [i + 1, *carried]
        for k, (phi, x, y) in enumerate(zip(now, given, following, strict=True), start=place):
            sources = f"[{x}, %{before}], [{y}, %{self._block}]"
            self.lines[k] = f"{phi} = phi {phi.kind} {sources}"
        self.lines.append(f"br i1 {following[0] < last}, label %{body}, label %{behind}")
        self._begin(behind)

    def _begin(self, block: str) -> None:
        self.lines.append(f"{block}:")
        self._block = block

    def where(self, condition: Any, x: Any, y: Any) -> Number:
        """x where the condition holds, else y."""
        x, y = _alike(x, y)
        chosen = f"select i1 {self.number(condition, _BOOL)}, {x.kind} {x}, {y.kind} {y}"
        return Number(self, self.result(chosen), x.dtype)

    def add_up(self, total: Number, x: Number) -> Number:
        """total + x as part of a sum that may be reassociated: lane by lane."""
        return total.apply(f"fadd {_FAST} reassoc", x) if x.dtype.kind == "f" else total + x

    def call(self, name: str, *numbers: Number) -> Number:
        """A function of LLVM's or of the C library, of numbers of one dtype."""
        kind = numbers[0].kind
        kinds = ", ".join([kind] * len(numbers))
        self._parts[name] = f"declare {kind} @{name}({kinds}) nounwind readnone"
        arguments = ", ".join(f"{kind} {x}" for x in numbers)
        value = self.result(f"call {kind} @{name}({arguments})")
        return Number(self, value, numbers[0].dtype)


def _arithmetic(instruction: str) -> Any:
    """An operator and its reflection."""

    def operate(x: Any, y: Any) -> Number:
        x, y = _alike(x, y)
        if x.dtype.kind == "f":
            return x.apply(f"f{instruction} {_FAST}", y)
        if x.dtype == _BOOL and instruction == "add":  # as NumPy adds booleans
            return x.apply("or", y)
        return x.apply(instruction, y)

    return operate, lambda y, x: operate(x, y)


def _comparison(condition: str) -> Any:
    def compare(x: Number, y: Any) -> Number:
        x, y = _alike(x, y)
        if x.dtype.kind == "f":  # NaN differs from all numbers, and compares with none
            return x.apply(f"fcmp {'u' if condition == 'ne' else 'o'}{condition}", y, _BOOL)
        sign = "" if condition in ("eq", "ne") else "s" if x.dtype.kind == "i" else "u"
        return x.apply(f"icmp {sign}{condition}", y, _BOOL)

    return compare


class Number:
    """A number of the compiled loop, or several in the lanes of a vector.

    Operators on it write instructions.
    """

    def __init__(self, writer: Writer, value: str, dtype: np.dtype[Any], lanes: int = 1) -> None:
        self.writer, self.value, self.dtype, self.lanes = writer, value, dtype, lanes
        self.kind = _kind(dtype, lanes)

    def __str__(self) -> str:
        return self.value

    def apply(self, instruction: str, other: Number, dtype: Any = None) -> Number:
        """The result of an instruction on this number and another one of its dtype."""
        value = self.writer.result(f"{instruction} {self.kind} {self}, {other}")
        return Number(self.writer, value, self.dtype if dtype is None else dtype, self.lanes)

    def astype(self, dtype: Any) -> Number:
        """The same number in another dtype."""
        dtype, old = np.dtype(dtype), self.dtype
        if dtype == old:
            return self
        if dtype == _BOOL:
            return self != 0
        if old.kind == "f" and dtype.kind == "f":
            convert = "fpext" if dtype.itemsize > old.itemsize else "fptrunc"
        elif old.kind == "f":
            convert = "fptosi" if dtype.kind == "i" else "fptoui"
        elif dtype.kind == "f":
            convert = "sitofp" if old.kind == "i" else "uitofp"
        elif dtype.itemsize > old.itemsize or old == _BOOL:
            convert = "sext" if old.kind == "i" else "zext"
        else:
            convert = "trunc" if dtype.itemsize < old.itemsize else "bitcast"
        return self._converted(convert, dtype)

    def bits_as(self, dtype: Any) -> Number:
        """The number in another dtype with the same bits."""
        return self._converted("bitcast", np.dtype(dtype))

    def _converted(self, convert: str, dtype: np.dtype[Any]) -> Number:
        value = self.writer.result(f"{convert} {self.kind} {self} to {_kind(dtype)}")
        return Number(self.writer, value, dtype)

    def everywhere(self, lanes: int) -> Number:
        """The number in each lane of a vector; operators work lane by lane."""
        if lanes == 1:
            return self
        kind, result = _kind(self.dtype, lanes), self.writer.result
        one = result(f"insertelement {kind} undef, {self.kind} {self}, i32 0")
        lane = f"<{lanes} x i32> zeroinitializer"
        value = result(f"shufflevector {kind} {one}, {kind} undef, {lane}")
        return Number(self.writer, value, self.dtype, lanes)

    __add__, __radd__ = _arithmetic("add")
    __sub__, __rsub__ = _arithmetic("sub")
    __mul__, __rmul__ = _arithmetic("mul")
    __truediv__, __rtruediv__ = _arithmetic("div")
    __and__, __rand__ = _arithmetic("and")
    __or__, __ror__ = _arithmetic("or")
    __lshift__, __rlshift__ = _arithmetic("shl")
    __rshift__, __rrshift__ = _arithmetic("ashr")
    __lt__, __le__, __gt__, __ge__ = map(_comparison, ("lt", "le", "gt", "ge"))
    __eq__, __ne__ = map(_comparison, ("eq", "ne"))

    def __neg__(self) -> Number:
        if self.dtype.kind != "f":
            return 0 - self
        return Number(self.writer, self.writer.result(f"fneg {self.kind} {self}"), self.dtype)

    def __abs__(self) -> Number:
        if self.dtype.kind == "f":
            return self.writer.call(f"llvm.fabs.f{8 * self.dtype.itemsize}", self)
        return self if self.dtype.kind != "i" else self.writer.where(self < 0, -self, self)

    def __bool__(self) -> bool:
        raise TypeError("a branch on a number of the compiled loop")


def _alike(x: Any, y: Any) -> tuple[Number, Number]:
    """Both as Numbers of one dtype: a Python number takes that of the other."""
    if not isinstance(x, Number):
        x = y.writer.number(x, y.dtype)
    if not isinstance(y, Number):
        y = x.writer.number(y, x.dtype)
    if x.dtype != y.dtype:
        raise TypeError(f"an operation on {x.dtype} and {y.dtype}")
    return x, y


class Pointer:
    """Memory that the compiled loop works on, as elements of one dtype."""

    def __init__(self, writer: Writer, value: str, dtype: np.dtype[Any]) -> None:
        self.writer, self.value, self.dtype = writer, value, dtype
        self.kind = _pointer(_kind(dtype))

    def __str__(self) -> str:
        return self.value

    def __add__(self, elements: Any) -> Pointer:
        """The pointer moved on."""
        return Pointer(self.writer, self._at(elements), self.dtype)

    def __getitem__(self, i: Any) -> Number:
        return self.vector(i, 1)

    def __setitem__(self, i: Any, x: Number) -> None:
        if x.dtype != self.dtype:
            raise TypeError(f"{x.dtype} written to memory of {self.dtype}")
        self.write_vector(i, x)

    def vector(self, i: Any, lanes: int) -> Number:
        """The elements from i on in the lanes of a vector."""
        kind = _kind(self.dtype, lanes)
        load = f"load {kind}, {self._place(i, kind)}, align {self.dtype.itemsize}"
        return Number(self.writer, self.writer.result(load), self.dtype, lanes)

    def write_vector(self, i: Any, x: Number) -> None:
        """Write what is in the lanes of a vector to the elements from i on."""
        store = f"store {x.kind} {x}, {self._place(i, x.kind)}, align {self.dtype.itemsize}"
        self.writer.lines.append(store)

    def _at(self, i: Any) -> str:
        index = i if isinstance(i, int) else self.writer.number(i, _INDEX)
        return self.writer.result(
            f"getelementptr inbounds {_kind(self.dtype)}, {self.kind} {self}, i64 {index}"
        )

    def _place(self, i: Any, kind: str) -> str:
        """Where what begins with element i is, as an operand."""
        place, there = self._at(i), _pointer(kind)
        if there != self.kind:
            place = self.writer.result(f"bitcast {self.kind} {place} to {there}")
        return f"{there} {place}"


_TYPED_POINTERS = binding.llvm_version_info < (17,)


def _pointer(kind: str) -> str:
    """LLVM's type for the address of something."""
    return f"{kind}*" if _TYPED_POINTERS else "ptr"


@cache
def _kind(dtype: np.dtype[Any], lanes: int = 1) -> str:
    """LLVM's type for a dtype. Booleans are single bits, and bytes in memory."""
    if lanes > 1:
        return f"<{lanes} x {_kind(dtype)}>"
    if dtype.kind == "f":
        return "double" if dtype.itemsize == 8 else "float"
    return "i1" if dtype.kind == "b" else f"i{8 * dtype.itemsize}"


def _text(x: Any, dtype: np.dtype[Any]) -> str:
    """A constant. Numbers with fractions, of float32 too, are given by the bits of a float64."""
    number = dtype.type(x).item()
    return f"0x{struct.pack('>d', number).hex()}" if dtype.kind == "f" else str(int(number))
