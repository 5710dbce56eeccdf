"""Writer: the text of a loop, run once on values that emit LLVM instructions.

The text is Python, and Python runs it. But its numbers represent registers of the compiled loop,
its `range` emits a loop, and each operator emits an instruction. So no parser and no type inference
is needed: every number knows its dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

__all__ = ["Number", "Pointer", "Writer"]

_INDEX = np.dtype(np.int64)
_BOOL = np.dtype(bool)
_FAST = ("contract",)  # a product and a sum may become one instruction, which rounds once


class Writer:
    """A module of LLVM instructions that grows as the text of a loop is run."""

    def __init__(self) -> None:
        self.module = ir.Module("loop")
        self.builder: Any = None  # where the next instruction goes
        self._tables: dict[Any, Any] = {}  # by the list of numbers, and the dtype

    def function(self, body: Callable[..., None]) -> Callable[..., None]:
        """A function of its own, emitted when it is first called."""
        written: list[Any] = []

        def call(*arguments: Number | Pointer) -> None:
            if not written:
                written.append(self.write(body, [(type(x), x.dtype) for x in arguments]))
            self.builder.call(written[0], [x.value for x in arguments])

        return call

    def write(self, body: Callable[..., None], kinds: Sequence[Any], public: bool = False) -> Any:
        """The function whose body is `body`. No two addresses passed to it may share memory.

        Without that promise LLVM has to compare every array that a loop writes with every other
        one, and does not vectorise loops over many arrays. The vectors are as long as the
        processor's; LLVM by default would use half the length that AVX-512 offers.
        """
        types = [_type(*kind) for kind in kinds]
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), types), body.__name__)
        function.attributes.add("nounwind")
        set.add(function.attributes, '"prefer-vector-width"="512"')
        if not public:
            function.attributes.add("noinline")
            function.linkage = "internal"
        for argument, (of, _) in zip(function.args, kinds, strict=True):
            if of is Pointer:
                argument.add_attribute("noalias")
        outer, self.builder = self.builder, ir.IRBuilder(function.append_basic_block())
        body(*(of(self, x, dtype) for x, (of, dtype) in zip(function.args, kinds, strict=True)))
        self.builder.ret_void()
        self.builder = outer
        return function

    def address(self, whole: Number, dtype: Any) -> Pointer:
        """The memory at an address, as elements of a dtype."""
        dtype = np.dtype(dtype)
        value = self.builder.inttoptr(whole.value, _type(Pointer, dtype))
        return Pointer(self, value, dtype)

    def number(self, x: Any, dtype: Any) -> Number:
        """A number in a dtype: converted if it is a Number, else a constant."""
        dtype = np.dtype(dtype)
        if isinstance(x, Number):
            return x.astype(dtype)
        return Number(self, ir.Constant(_llvm_type(dtype), dtype.type(x).item()), dtype)

    def table(self, numbers: Sequence[float], dtype: Any) -> Pointer:
        """Numbers that are known when the loop is written, in memory that nothing writes to."""
        dtype = np.dtype(dtype)
        known = self._tables.get((id(numbers), dtype))
        if known is None:
            kind = ir.ArrayType(_llvm_type(dtype), len(numbers))
            known = ir.GlobalVariable(self.module, kind, f"table_{len(self._tables)}")
            known.initializer = ir.Constant(kind, numbers)
            known.linkage, known.global_constant = "internal", True
            self._tables[id(numbers), dtype] = known
        return Pointer(self, self.builder.bitcast(known, _type(Pointer, dtype)), dtype)

    def range(
        self, first: int | Number, end: int | Number | None = None, *, carried: Any = None
    ) -> Iterator[Any]:
        """`for i in range(n)`, or from `first` to `end`: the body runs once, emitted as a loop.

        The list `carried` holds the numbers passed from one iteration to the next: the body reads
        them and replaces them by its own.
        """
        first, end = (0, first) if end is None else (first, end)
        known = isinstance(first, int) and isinstance(end, int)
        if isinstance(first, int) and isinstance(end, int) and end - first < 2:
            yield from range(first, end)
            return
        carried = [] if carried is None else carried
        start, last = self.number(first, _INDEX), self.number(end, _INDEX)
        before, body = self.builder.block, self.builder.append_basic_block("again")
        behind = self.builder.append_basic_block("on")
        if known:
            self.builder.branch(body)
        else:
            assert not carried
            self.builder.cbranch((start < last).value, body, behind)
        self.builder.position_at_end(body)
        given = [start, *carried]
        now = [self.builder.phi(x.value.type) for x in given]
        i, *carried[:] = (Number(self, v, x.dtype) for v, x in zip(now, given, strict=True))
        yield i
        following = [i + 1, *carried]
        for phi, x, y in zip(now, given, following, strict=True):
            phi.add_incoming(x.value, before)
            phi.add_incoming(y.value, self.builder.block)
        self.builder.cbranch((following[0] < last).value, body, behind)
        self.builder.position_at_end(behind)

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        """x where the condition holds, else y."""
        x, y = _alike(x, y)
        chosen = self.builder.select(self.number(condition, _BOOL).value, x.value, y.value)
        return Number(self, chosen, x.dtype)

    def add_up(self, total: Number, x: Number) -> Number:
        """total + x as part of a sum that may be reassociated: lane by lane."""
        if x.dtype.kind != "f":
            return total + x
        value = self.builder.fadd(total.value, x.value, flags=(*_FAST, "reassoc"))
        return Number(self, value, x.dtype)

    def call(self, name: str, *numbers: Number) -> Number:
        """A function of LLVM's or of the C library, of numbers of one dtype."""
        first = numbers[0]
        kind = ir.FunctionType(first.value.type, [x.value.type for x in numbers])
        function = self.module.globals.get(name)
        if function is None:
            function = ir.Function(self.module, kind, name)
            for attribute in ("nounwind", "readnone"):
                function.attributes.add(attribute)
        return Number(self, self.builder.call(function, [x.value for x in numbers]), first.dtype)


class Number(np.lib.mixins.NDArrayOperatorsMixin):
    """A number of the compiled loop. Operators on it emit instructions."""

    def __init__(self, writer: Writer, value: Any, dtype: np.dtype[Any]) -> None:
        self.writer, self.value, self.dtype = writer, value, dtype

    def astype(self, dtype: Any) -> Number:
        """The same number in another dtype."""
        dtype, old = np.dtype(dtype), self.dtype
        if dtype == old:
            return self
        if dtype == _BOOL:
            return self != 0
        builder, kind = self.writer.builder, _llvm_type(dtype)
        if old.kind == "f" and dtype.kind == "f":
            convert = builder.fpext if dtype.itemsize > old.itemsize else builder.fptrunc
        elif old.kind == "f":
            convert = builder.fptosi if dtype.kind == "i" else builder.fptoui
        elif dtype.kind == "f":
            convert = builder.sitofp if old.kind == "i" else builder.uitofp
        elif dtype.itemsize > old.itemsize or old == _BOOL:
            convert = builder.sext if old.kind == "i" else builder.zext
        else:
            convert = builder.trunc
        return Number(self.writer, convert(self.value, kind), dtype)

    def bits_as(self, dtype: Any) -> Number:
        """The number in another dtype with the same bits."""
        value = self.writer.builder.bitcast(self.value, _llvm_type(np.dtype(dtype)))
        return Number(self.writer, value, np.dtype(dtype))

    def everywhere(self, lanes: int) -> Number:
        """The number in each lane of a vector; operators work lane by lane."""
        if lanes == 1:
            return self
        kind = ir.VectorType(self.value.type, lanes)
        if isinstance(self.value, ir.Constant):
            return Number(self.writer, ir.Constant(kind, [self.value] * lanes), self.dtype)
        builder, nothing = self.writer.builder, ir.Constant(kind, ir.Undefined)
        one = builder.insert_element(nothing, self.value, ir.Constant(ir.IntType(32), 0))
        first = ir.Constant(ir.VectorType(ir.IntType(32), lanes), None)
        return Number(self.writer, builder.shuffle_vector(one, nothing, first), self.dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        if method != "__call__" or keywords.get("out", (self,)) != (self,):  # x += y has an `out`
            return NotImplemented
        if ufunc in _ARITHMETIC:
            return self._calculated(_ARITHMETIC[ufunc], *_alike(*inputs))
        if ufunc in _COMPARISONS:
            return self._compared(_COMPARISONS[ufunc], *_alike(*inputs))
        builder, kind = self.writer.builder, self.dtype.kind
        if ufunc is np.negative:
            value = builder.fneg(self.value) if kind == "f" else builder.neg(self.value)
            return Number(self.writer, value, self.dtype)
        if ufunc is np.absolute and kind == "f":
            return self.writer.call(f"llvm.fabs.f{8 * self.dtype.itemsize}", self)
        if ufunc is np.absolute:
            return self if kind != "i" else self.writer.where(self < 0, -self, self)
        return NotImplemented

    def _calculated(self, instruction: str, x: Number, y: Number) -> Number:
        builder = self.writer.builder
        if x.dtype.kind == "f":
            value = getattr(builder, f"f{instruction}")(x.value, y.value, flags=_FAST)
        elif x.dtype == _BOOL and instruction == "add":  # as NumPy adds booleans
            value = builder.or_(x.value, y.value)
        else:
            value = getattr(builder, instruction)(x.value, y.value)
        return Number(self.writer, value, x.dtype)

    def _compared(self, sign: str, x: Number, y: Number) -> Number:
        builder = self.writer.builder
        if x.dtype.kind != "f":
            compare = builder.icmp_signed if x.dtype.kind == "i" else builder.icmp_unsigned
        else:  # NaN differs from all numbers, and compares with none
            compare = builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered
        return Number(self.writer, compare(sign, x.value, y.value), _BOOL)

    def __bool__(self) -> bool:
        raise TypeError("a branch on a number of the compiled loop")


_ARITHMETIC = {
    np.add: "add",
    np.subtract: "sub",
    np.multiply: "mul",
    np.divide: "div",
    np.bitwise_and: "and_",
    np.bitwise_or: "or_",
    np.left_shift: "shl",
    np.right_shift: "ashr",
}
_COMPARISONS = {
    np.less: "<",
    np.less_equal: "<=",
    np.greater: ">",
    np.greater_equal: ">=",
    np.equal: "==",
    np.not_equal: "!=",
}


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

    def __init__(self, writer: Writer, value: Any, dtype: np.dtype[Any]) -> None:
        self.writer, self.value, self.dtype = writer, value, dtype

    def __add__(self, elements: Any) -> Pointer:
        """The pointer moved on."""
        return Pointer(self.writer, self._at(elements), self.dtype)

    def __getitem__(self, i: Any) -> Any:
        return Number(self.writer, self.writer.builder.load(self._at(i)), self.dtype)

    def __setitem__(self, i: Any, x: Number) -> None:
        if x.dtype != self.dtype:
            raise TypeError(f"{x.dtype} written to memory of {self.dtype}")
        self.writer.builder.store(x.value, self._at(i))

    def vector(self, i: Any, lanes: int) -> Number:
        """The elements from i on in the lanes of a vector."""
        kind = ir.VectorType(_llvm_type(self.dtype), lanes) if lanes > 1 else None
        builder, size = self.writer.builder, self.dtype.itemsize
        place = self._at(i)
        place = builder.bitcast(place, kind.as_pointer()) if kind else place
        return Number(self.writer, builder.load(place, align=size), self.dtype)

    def write_vector(self, i: Any, x: Number) -> None:
        """Write what is in the lanes of a vector to the elements from i on."""
        builder = self.writer.builder
        place = builder.bitcast(self._at(i), x.value.type.as_pointer())
        builder.store(x.value, place, align=self.dtype.itemsize)

    def _at(self, i: Any) -> Any:
        index = self.writer.number(i, _INDEX).value
        return self.writer.builder.gep(self.value, [index], inbounds=True)


def _llvm_type(dtype: np.dtype[Any]) -> Any:
    """LLVM's type for a dtype. Booleans are single bits, and bytes in memory."""
    if dtype.kind == "f":
        return ir.DoubleType() if dtype.itemsize == 8 else ir.FloatType()
    return ir.IntType(1 if dtype.kind == "b" else 8 * dtype.itemsize)


def _type(of: type, dtype: np.dtype[Any]) -> Any:
    """LLVM's type for a Number or a Pointer."""
    return _llvm_type(dtype).as_pointer() if of is Pointer else _llvm_type(dtype)
