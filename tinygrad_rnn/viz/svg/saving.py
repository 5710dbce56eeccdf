"""Writing a picture to a file: SVG as it is; PNG and PDF through CairoSVG."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from unicodedata import east_asian_width

from ...files import write_file
from ...invocation import install_command
from ..style.palette import FONT

__all__ = ["FORMS", "Saved", "ending"]

FORMS = (".svg", ".png", ".pdf")
SMALLEST = 0.5  # of its size: how far a notebook may shrink a picture to fit the page
SCALE = 2.0  # pixels of a PNG per px of the SVG, so that it is sharp on a slide
CAIRO_FONT, CAIRO_KOREAN = "'DejaVu Sans Condensed'", "'Noto Sans CJK KR'"


class Saved:
    """An object with an SVG: it can be saved, and a notebook shows it."""

    def svg(self, still: bool = False) -> str:
        """The SVG document. `still`: light and plain, for programs that do not support themes."""
        raise NotImplementedError

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file in the form of its ending: `.svg`, `.png` or `.pdf`.

        ValueError for another ending; ImportError that names the extra where PNG or PDF needs it. A
        file is written completely or not at all.
        """
        return self._save(path, {})

    def _save(self, path: str | os.PathLike[str], others: Mapping[str, Callable[[], str]]) -> Path:
        target, form = Path(path), ending(path, (*others, *FORMS))
        if form in others:
            write_file(target, others[form]())
        elif form == ".svg":
            write_file(target, self.svg())
        else:
            write_file(target, _converted(self.svg(still=True), form))
        return target

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook asks for: the SVG and, where that cannot be shown, one line of text."""
        return {"image/svg+xml": _fitting(_apart(self.svg())), "text/plain": repr(self)}


def _apart(svg: str) -> str:
    """The picture with unique ids, so that several pictures on one page do not share definitions.

    Arrow heads, which style sheets refer to, are the same in all pictures and keep their names.
    """
    mark = "p" + hashlib.sha256(svg.encode()).hexdigest()[:10]
    return re.sub(r'(<(?:g|path|rect) id="|\bhref="#)(?=\w)', rf"\1{mark}", svg)


def _fitting(svg: str) -> str:
    """The picture as wide as the page, if it is still readable then; otherwise it scrolls."""
    width = re.search(r'<svg [^>]*\bwidth="([\d.]+)"', svg)
    if width is None:
        return svg
    least = f"{SMALLEST * float(width[1]):.0f}px"
    return svg.replace("<svg ", f'<svg style="max-width:max(100%,{least});height:auto" ', 1)


def ending(path: str | os.PathLike[str], known: tuple[str, ...]) -> str:
    """The ending of a file's name. ValueError if it is not one of those known.

    >>> ending("a.PNG", (".svg", ".png"))
    '.png'
    """
    form = Path(path).suffix.lower()
    if form not in known:
        raise ValueError(f"{Path(path).name!r} should end in {' or '.join(known)}")
    return form


def _converted(svg: str, form: str) -> bytes:
    try:
        import cairosvg
    except (ImportError, OSError) as error:  # OSError: the library Cairo itself is missing
        raise ImportError(
            f"{form} files need CairoSVG: {install_command('pictures')} ({error}). "
            "A file that ends in .svg needs nothing."
        ) from error
    write = cairosvg.svg2png if form == ".png" else cairosvg.svg2pdf
    scale = SCALE if form == ".png" else 1.0
    written: bytes = write(bytestring=_for_cairo(svg).encode(), scale=scale)
    return written


def _for_cairo(svg: str) -> str:
    """The SVG with one font for each text: Cairo takes all letters from the first of a list.

    The first font is as wide as those of the list, the second has Korean letters, but no raised
    figures. One that is missing is replaced by the system's own.
    """

    def text(found: re.Match[str]) -> str:
        attributes, content = found.groups()
        if not any(east_asian_width(letter) == "W" for letter in content):
            return found[0]
        raised = rf'<tspan style="font-family:{CAIRO_FONT}">\1</tspan>'
        content = re.sub("([⁰¹²³⁴-⁹⁺⁻]+)", raised, content)
        return f'<text{attributes} style="font-family:{CAIRO_KOREAN}">{content}</text>'

    return re.sub("<text([^>]*)>(.*?)</text>", text, svg.replace(FONT, CAIRO_FONT), flags=re.S)
