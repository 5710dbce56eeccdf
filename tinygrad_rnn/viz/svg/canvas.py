"""What painters draw on: SVG elements in order, with definitions that are written once."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from ..style.palette import SHADES, Scale, gradient_width
from ..style.text import number

__all__ = ["Canvas", "arrow_heads"]


class Canvas:
    """The elements of one picture. `scale` gives each gradient its shade.

    `along`: whether gradients run along their edges, rather than against them. `prefix`: of
    identifiers, to keep several canvases in one document apart.

    >>> canvas = Canvas(Scale(-2, 0))
    >>> canvas.add_pair("M0 0H9", "M9 4H0", 1.0, "wire")
    >>> canvas.content()
    '<path class="wire" d="M0 0H9"/>\\n<path class="g9" d="M9 4H0" style="marker-end:none"/>'
    """

    def __init__(self, scale: Scale, along: bool = False, prefix: str = "") -> None:
        self.scale = scale
        self.along = along
        self.prefix = prefix
        self._defs: list[str] = []
        self._body: list[str] = []
        self._ids: dict[Hashable, str] = {}

    def add(self, *elements: str) -> None:
        """Draw these over everything drawn so far."""
        self._body += elements

    def add_pair(self, forward: str, backward: str, norm: float | None, kind: str) -> None:
        """Draw an edge that occurs once: its path and, if a gradient flows, the way back."""
        shade = self.scale.shade(norm)
        if shade and self.along:
            backward = forward
        else:
            self.add(f'<path class="{kind}" d="{forward}"/>')
        if shade:
            self.add(f'<path class="{shade}" d="{backward}" style="marker-end:none"/>')

    def define(self, key: Hashable, prefix: str, make: Callable[[], str], tag: str = "g") -> str:
        """The id of a definition, whose content is made at the first use of `key`."""
        name = self._ids.get(key)
        if name is None:
            content = make()
            name = self._ids[key] = f"{self.prefix}{prefix}{len(self._ids)}"
            inside = f">{content}</g>" if tag == "g" else f" {content}/>"
            self._defs.append(f'<{tag} id="{name}"{inside}')
        return name

    def content(self) -> str:
        """Everything that was drawn."""
        return "\n".join(self._body)

    def definitions(self) -> str:
        """The definitions that the content refers to."""
        return "".join(self._defs)


def arrow_heads() -> str:
    """The definitions of the gradient edges' arrow heads, one for each shade."""
    heads = []
    for shade in range(SHADES):
        size = 4 + gradient_width(shade) * 1.2
        heads.append(
            f'<marker id="a{shade}" markerUnits="userSpaceOnUse" markerWidth="{number(size)}" '
            f'markerHeight="{number(size)}" viewBox="0 0 10 10" refX="8" refY="5" orient="auto">'
            f'<path class="h{shade}" d="M0 0L10 5L0 10Z"/></marker>'
        )
    return "".join(heads)
