"""What the compiled loops need of the machine: typed addresses.

A loop works on plain addresses instead of arrays: shapes and strides are numbers in its text.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["address_of", "behind", "separate"]


@intrinsic
def address_of(typing: Any, address: Any, kind: Any) -> Any:
    """The memory at an integer address, as elements of a type."""
    pointer = types.CPointer(kind.dtype)

    def written(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(pointer))

    return pointer(address, kind), written


@intrinsic
def behind(typing: Any, pointer: Any, elements: Any) -> Any:
    """The pointer moved on by a number of elements."""

    def written(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.gep(arguments[0], [arguments[1]])

    return pointer(pointer, elements), written


@intrinsic
def separate(typing: Any) -> Any:
    """States that no two arguments of the function that calls this share memory.

    Without it LLVM has to compare every array that a loop writes with every other one, and leaves
    loops over many arrays as they are instead of vectorising them. The vectors are as long as the
    processor has them; LLVM by itself would use half of what AVX-512 offers.
    """

    def written(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for argument in builder.function.args:
            if isinstance(argument.type, ir.PointerType):
                argument.add_attribute("noalias")
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), written
