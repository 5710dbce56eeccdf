"""Code generation: the machine code of a loop's text for this processor, and its linking."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import llvmlite
import numpy as np
from llvmlite import binding

from .builder import Number, Pointer, Writer
from .mathematics import FUNCTIONS, within
from .matmul import pack, product

__all__ = ["link", "machine_code", "this_machine"]

_DTYPES = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
_DTYPES += ["float32", "float64"]


def machine_code(text: str) -> bytes:
    """The object code of the functions that a text defines: `loop`, and `prepare` if it has one."""
    module = binding.parse_assembly(_assembly(text))
    module.verify()
    pipeline = binding.create_pass_builder(_target(), _options())
    pipeline.getModulePassManager().run(module, pipeline)
    return bytes(_target().emit_object(module))


def link(code: bytes, name: str, functions: Sequence[str]) -> tuple[Any, list[int]]:
    """The object that keeps the code in memory, and the addresses of its functions."""
    library = binding.JITLibraryBuilder().add_object_img(code).add_current_process()
    for function in functions:
        library.export_symbol(function)
    held = library.link(_linker(), name)
    return held, [held[function] for function in functions]


@cache
def this_machine() -> tuple[str, ...]:
    """What machine code depends on besides its text: the processor and the compiler."""
    features = binding.get_host_cpu_features().flatten()
    return llvmlite.__version__, binding.get_process_triple(), binding.get_host_cpu_name(), features


def _assembly(text: str) -> str:
    """A text in LLVM's assembly language."""
    writer = Writer()
    words: dict[str, Any] = {
        **{name: partial(writer.number, dtype=name) for name in _DTYPES},
        "flag": partial(writer.number, dtype=bool),
        **{f.__name__: f for f in (writer.address, writer.range, writer.where, writer.add_up)},
        **{f.__name__: f for f in (writer.function, pack, product, within)},
        **FUNCTIONS,
        "np": np,  # np.inf, np.nan
    }
    exec(compile(text, "<loop>", "exec"), words)
    for function in (words[name] for name in ("prepare", "loop") if name in words):
        kinds: list[Any] = [(Number, np.dtype("int64"))] * function.__code__.co_argcount
        kinds[1] = Pointer, np.dtype("uint64")  # the table of addresses
        writer.write(function, kinds, public=True)
    return writer.module()


@cache
def _target() -> Any:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    _, _, cpu, features = this_machine()
    target = binding.Target.from_default_triple()
    return target.create_target_machine(cpu, features, opt=2, jit=True)


@cache
def _linker() -> Any:
    return binding.create_lljit_compiler(_target(), suppress_errors=True)


def _options() -> Any:
    """LLVM's options. Unrolling makes no loop faster, and takes time."""
    options = binding.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization, options.loop_unrolling = True, False
    return options
