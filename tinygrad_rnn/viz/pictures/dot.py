"""A Graph in the DOT language, through the `graphviz` package."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ...graph import Graph, GraphNode

if TYPE_CHECKING:
    import graphviz

__all__ = ["to_dot"]

_LOOKS = {
    "op": {"shape": "box", "style": "rounded,filled", "fillcolor": "#ffffff"},
    "parameter": {"shape": "box", "style": "filled", "fillcolor": "#e8eaf2", "fontsize": "9"},
    "input": {"shape": "ellipse", "style": "filled", "fillcolor": "#e6f1ec"},
    "constant": {"shape": "plaintext", "fontsize": "9"},
    "saved": {"shape": "box", "style": "filled", "fillcolor": "#f3ecd8", "fontsize": "9"},
}


@cache
def _digraph_class() -> type[graphviz.Digraph]:
    import graphviz  # importing it takes a moment: not before it is needed

    class Digraph(graphviz.Digraph):  # type: ignore[misc]
        """A Digraph whose error for the missing program says what else can be done."""

        def pipe(self, *args: Any, **kwargs: Any) -> Any:
            try:
                return super().pipe(*args, **kwargs)
            except graphviz.ExecutableNotFound as error:
                raise _no_dot() from error

        def render(self, *args: Any, **kwargs: Any) -> Any:
            try:
                return super().render(*args, **kwargs)
            except graphviz.ExecutableNotFound as error:
                raise _no_dot() from error

    return Digraph


def _no_dot() -> FileNotFoundError:
    return FileNotFoundError(
        "rendering DOT needs the program 'dot' of Graphviz, which is not on the PATH. Install it "
        "(on Debian: apt-get install graphviz), or draw without any program: "
        "viz.draw(tensor).save('picture.svg') or '.html'. The DOT text itself is `.source`."
    )


def to_dot(graph: Graph) -> graphviz.Digraph:
    """The graph for Graphviz: a cluster for each time step, a copy of a parameter in each.

    The result's `source` is the DOT text. To render it, the program `dot` must be installed;
    FileNotFoundError where it is not. (`viz.draw` writes SVG and HTML without a program.)

    >>> import tinygrad_rnn as tg
    >>> to_dot(tg.viz.draw(tg.tanh(tg.ones(2).requires_grad_())).graph).source[:7]
    'digraph'
    """
    picture = _digraph_class()(
        graph_attr={"rankdir": "LR", "fontname": "Helvetica"},
        node_attr={"fontname": "Helvetica", "fontsize": "11", "color": "#5b6270"},
        edge_attr={"color": "#8a91a0", "arrowsize": "0.6"},
    )
    clusters: dict[int | None, list[tuple[str, GraphNode]]] = {}
    edges: list[tuple[str, str]] = []
    drawn: set[str] = set()

    def draw(node: GraphNode, step: int | None) -> str:
        """Draw the node (a leaf: its copy in this step) once; its identifier."""
        is_leaf = node.op is None
        at = step if is_leaf else node.step
        name = f"n{node.index}" + (f"_{at}" if is_leaf and at is not None else "")
        if name not in drawn:
            drawn.add(name)
            clusters.setdefault(at, []).append((name, node))
        return name

    for node in graph:
        if node.op is not None or node.index in graph.outputs:
            here = draw(node, node.step)
            edges += [(draw(graph[i], node.step), here) for i in node.inputs]
    for step in sorted(clusters, key=lambda step: -1 if step is None else step):
        if step is None:
            _draw_nodes(picture, clusters[step])
            continue
        with picture.subgraph(name=f"cluster_{step}") as cluster:
            cluster.attr(label=f"step {step}", color="#c9ced8", fontsize="11", style="rounded")
            _draw_nodes(cluster, clusters[step])
    for start, end in edges:
        picture.edge(start, end)
    return picture


def _draw_nodes(picture: graphviz.Digraph, nodes: list[tuple[str, GraphNode]]) -> None:
    from graphviz import nohtml

    for name, node in nodes:
        lines = [node.label, *([node.name] if node.op is not None and node.name else [])]
        if node.constant is not None:
            lines = [str(node.constant) if not node.shape else f"array {list(node.shape)}"]
        elif node.shape:
            lines.append(" × ".join(map(str, node.shape)))
        # Escaped line by line; `nohtml` keeps Graphviz from reading `<...>` as markup.
        label = nohtml("\\n".join(_escaped(line) for line in lines))
        picture.node(name, label, **_LOOKS[node.kind])


def _escaped(text: str) -> str:
    from graphviz import escape

    printable = "".join(c if c.isprintable() else " " for c in text)
    return str(escape(printable))
