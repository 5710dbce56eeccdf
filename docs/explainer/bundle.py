"""Run inside Pyodide by build.mjs: /bundle becomes /bundle.zip, without what is not imported."""

import compileall
import pathlib
import py_compile
import shutil
import sys
import zipfile

root = pathlib.Path("/bundle")

(licence,) = root.glob("numpy-*.dist-info/LICENSE.txt")
shutil.copy(licence, "/numpy-licence.txt")

NOT_IMPORTED = ["f2py", "distutils", "doc", "_core/include", "_core/lib", "random/lib"]
for part in [*NOT_IMPORTED, "_pyinstaller"]:
    shutil.rmtree(root / "numpy" / part, ignore_errors=True)
for part in list(root.glob("numpy/**/tests")):
    shutil.rmtree(part)
for ending in ("pyi", "h", "a", "c", "cpp", "pxd", "pyx"):
    for file in list(root.rglob(f"*.{ending}")):
        file.unlink()
# Code says where it will be unpacked to: the package tells its own code from the reader's by that.
# By content, so that two builds of the same sources are the same.
compileall.compile_dir(
    root, ddir="/lib/python3.12/site-packages", legacy=True, quiet=1, optimize=0,
    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
)  # fmt: skip


def is_kept(file: pathlib.Path) -> bool:
    """Compiled code and data. The texts of cells are data."""
    return file.is_file() and (file.suffix != ".py" or is_read(file))


def is_read(file: pathlib.Path) -> bool:
    """Whether the text of a module is read: those of the gym and the cells to start from."""
    return file.parent.name in ("networks", "cells") and (
        "gym" in file.parts or "explainer" in file.parts
    )


with zipfile.ZipFile("/bundle.zip", "w") as bundle:
    for file in sorted(filter(is_kept, root.rglob("*"))):
        entry = zipfile.ZipInfo(str(file.relative_to(root)), (2020, 1, 1, 0, 0, 0))
        bundle.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, 9)

sys.path.insert(0, str(root))
from tinygrad_rnn.viz.page.document import themes  # noqa: E402
from tinygrad_rnn.viz.style.palette import palette, style_sheet  # noqa: E402

rules = style_sheet({name: f"var(--v-{name})" for name in palette()})
pathlib.Path("/palette.css").write_text(themes() + "\n")
pathlib.Path("/picture.css").write_text(rules + "\n")  # inside each picture's shadow root
