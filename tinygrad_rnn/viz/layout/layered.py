"""Where the boxes of one step are placed: a layered layout with a straight lane for each state.

Every edge runs from a layer to a later one, left to right. An edge over several layers takes up a
small place in each layer between, so that no edge crosses a box. A state that enters at the left
and leaves at the right is pinned to a lane, together with the ops on the shortest way between: its
line is straight, and continues straight into the next step.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

__all__ = ["Block", "Placed", "layered"]

LAYER_GAP = 16.0
ROW_GAP = 14.0
WIRE = 12.0  # the height reserved for a passing edge

ABOVE, LOOP, BELOW = 0, 1, 2  # zones: what follows the loop, the loop, what feeds it


@dataclass
class Block:
    """What is placed: a box with its size around its centre, a port, or a passing edge."""

    key: Hashable
    width: float = 0.0
    up: float = WIRE / 2  # from the centre to the top, with what is drawn above the box
    down: float = WIRE / 2  # from the centre to the bottom, with what is drawn below it
    kind: str = "op"  # "op", "entry" (left edge), "exit" (right edge), "input", "wire"
    layer: int = 0
    lane: int | None = None
    zone: int = LOOP
    x: float = 0.0
    y: float = 0.0


@dataclass
class Placed:
    """Blocks with coordinates, and for each edge the blocks that it passes, ends included."""

    blocks: dict[Hashable, Block]
    routes: dict[tuple[Hashable, Hashable], list[Block]]
    width: float = 0.0
    top: float = 0.0
    bottom: float = 0.0
    lanes: list[Hashable] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)  # of each layer


def layered(
    blocks: Iterable[Block],
    edges: Iterable[tuple[Hashable, Hashable]],
    states: Iterable[tuple[Hashable, Hashable]] = (),
    gap: float = LAYER_GAP,
) -> Placed:
    """Place `blocks` (of kinds op, entry, exit, input) joined by `edges`, which have no cycle.

    `states`: pairs of an entry and an exit that belong to one line through the step. `gap`: the
    space between neighbouring layers.
    """
    all_blocks = {block.key: block for block in blocks}
    after: dict[Hashable, list[Hashable]] = defaultdict(list)
    before: dict[Hashable, list[Hashable]] = defaultdict(list)
    edges = list(dict.fromkeys(edges))
    for start, end in edges:
        after[start].append(end)
        before[end].append(start)
    _set_layers(all_blocks, before, after)
    lanes = _pin_lanes(all_blocks, before, after, list(states))
    _set_zones(all_blocks, before, after, lanes)
    routes, layers = _with_wires(all_blocks, edges)
    placed = Placed(all_blocks, routes, lanes=[entry for entry, _ in lanes])
    _set_x(placed, layers, gap)
    _set_y(placed, layers, len(lanes))
    return placed


def _set_layers(
    blocks: dict[Hashable, Block],
    before: dict[Hashable, list[Hashable]],
    after: dict[Hashable, list[Hashable]],
) -> None:
    order = _topological(blocks, before, after)
    for key in order:
        block = blocks[key]
        if block.kind in ("entry", "input"):
            block.layer = 0
        else:
            block.layer = 1 + max((blocks[k].layer for k in before[key]), default=0)
    last = 1 + max((b.layer for b in blocks.values() if b.kind != "exit"), default=0)
    for key in reversed(order):
        block = blocks[key]
        if block.kind == "exit":
            block.layer = last
        elif block.kind == "op" and after[key]:
            # A block that only leaves feed may go anywhere: put it next to its user.
            if all(blocks[k].kind != "op" for k in before[key]):
                near = min(blocks[k].layer for k in after[key]) - 1
                if not any(blocks[k].kind == "input" for k in before[key]):
                    block.layer = max(block.layer, near)


def _topological(
    blocks: dict[Hashable, Block],
    before: dict[Hashable, list[Hashable]],
    after: dict[Hashable, list[Hashable]],
) -> list[Hashable]:
    missing = {key: len(before[key]) for key in blocks}
    ready = [key for key in blocks if not missing[key]]
    order = []
    while ready:
        key = ready.pop(0)
        order.append(key)
        for k in after[key]:
            missing[k] -= 1
            if not missing[k]:
                ready.append(k)
    return order


def _pin_lanes(
    blocks: dict[Hashable, Block],
    before: dict[Hashable, list[Hashable]],
    after: dict[Hashable, list[Hashable]],
    states: list[tuple[Hashable, Hashable]],
) -> list[tuple[Hashable, Hashable]]:
    """Give each state a lane, the most direct first, and pin the blocks on its way to that lane."""

    def way(start: Hashable, end: Hashable, taken: set[Hashable]) -> list[Hashable]:
        came_from: dict[Hashable, Hashable] = {start: start}
        frontier = [start]
        while frontier and end not in came_from:
            reached = []
            for key in frontier:
                for k in after[key]:
                    if k not in came_from and k not in taken:
                        came_from[k] = key
                        reached.append(k)
            frontier = reached
        if end not in came_from:
            return [start, *(k for k in before[end] if k not in taken), end]
        path = [end]
        while path[-1] != start:
            path.append(came_from[path[-1]])
        return path[::-1]

    lengths = {state: len(way(*state, set())) for state in states}
    ordered = sorted(states, key=lambda state: lengths[state])
    taken: set[Hashable] = set()
    for lane, state in enumerate(ordered):
        others = {key for other in ordered if other != state for key in other}
        makers = {k for other in ordered[lane + 1 :] for k in before[other[1]]}
        for key in way(*state, taken | others | makers):
            blocks[key].lane = lane
            taken.add(key)
    return ordered


def _set_zones(
    blocks: dict[Hashable, Block],
    before: dict[Hashable, list[Hashable]],
    after: dict[Hashable, list[Hashable]],
    lanes: list[tuple[Hashable, Hashable]],
) -> None:
    if not lanes:
        return
    depends = _reached({entry for entry, _ in lanes}, after)
    leads = _reached({exit_ for _, exit_ in lanes}, before)
    lowest = len(lanes) - 1
    for key, block in blocks.items():
        if key not in depends:
            block.zone = BELOW
        elif key not in leads:
            from_lowest = lowest and _nearest_lane(key, blocks, before) == lowest
            block.zone = BELOW if from_lowest else ABOVE


def _nearest_lane(
    start: Hashable, blocks: dict[Hashable, Block], before: dict[Hashable, list[Hashable]]
) -> int | None:
    """The lane of the nearest block in a lane that leads to `start`."""
    seen, frontier = {start}, [start]
    while frontier:
        lanes = [lane for key in frontier if (lane := blocks[key].lane) is not None]
        if lanes:
            return max(lanes)
        frontier = [k for key in frontier for k in before[key] if k not in seen]
        seen.update(frontier)
    return None


def _reached(start: set[Hashable], onward: dict[Hashable, list[Hashable]]) -> set[Hashable]:
    reached, frontier = set(start), list(start)
    while frontier:
        for k in onward[frontier.pop()]:
            if k not in reached:
                reached.add(k)
                frontier.append(k)
    return reached


def _with_wires(
    blocks: dict[Hashable, Block], edges: list[tuple[Hashable, Hashable]]
) -> tuple[dict[tuple[Hashable, Hashable], list[Block]], list[list[Block]]]:
    """The blocks that each edge passes, wires included, and the blocks of each layer."""
    count = 1 + max((block.layer for block in blocks.values()), default=0)
    layers: list[list[Block]] = [[] for _ in range(count)]
    for block in blocks.values():
        layers[block.layer].append(block)
    routes = {}
    for start, end in edges:
        a, b = blocks[start], blocks[end]
        route = [a]
        same_lane = a.lane is not None and a.lane == b.lane
        lane = b.lane if same_lane else a.lane if a.kind == "entry" and a.lane is not None else None
        for layer in range(a.layer + 1, b.layer):
            free = lane is None or not any(o.lane == lane for o in layers[layer])
            zone = LOOP if a.zone != b.zone and ABOVE not in (a.zone, b.zone) else a.zone
            wire = Block(("wire", start, end, layer), kind="wire", layer=layer, zone=zone)
            if same_lane and free:
                wire.lane = lane
            layers[layer].append(wire)
            route.append(wire)
        routes[start, end] = [*route, b]
    return routes, layers


def _set_x(placed: Placed, layers: list[list[Block]], gap: float) -> None:
    x = 0.0
    for number, layer in enumerate(layers):
        width = max((block.width for block in layer), default=0.0)
        placed.widths.append(width)
        for block in layer:
            block.x = x + width / 2
        x += width + (gap if number < len(layers) - 1 else 0)
    for block in placed.blocks.values():
        if block.kind == "exit":
            block.x = x
    placed.width = x


def _set_y(placed: Placed, layers: list[list[Block]], lane_count: int) -> None:
    """Order each layer by the mean of its neighbours and spread it, repeatedly, until stable."""
    neighbours: dict[int, list[tuple[Block, float]]] = defaultdict(list)
    for route in placed.routes.values():
        for a, b in itertools.pairwise(route):
            weight = 3.0 if a.kind == b.kind == "wire" else 1.0
            neighbours[id(a)].append((b, weight))
            neighbours[id(b)].append((a, weight))
    lane_y = _lane_heights(layers, lane_count)
    for layer in layers:
        for place, block in enumerate(layer):
            block.y = lane_y[block.lane] if block.lane is not None else 20.0 * place
    forward = list(enumerate(layers))
    for sweep in range(12):
        for _, layer in forward if sweep % 2 == 0 else forward[::-1]:
            wished = {id(block): block.y for block in layer}
            for block in layer:
                near = neighbours[id(block)]
                if block.lane is None and near:
                    total = sum(weight for _, weight in near)
                    wished[id(block)] = sum(b.y * weight for b, weight in near) / total
            _spread(layer, wished, lane_count)
    inputs = [b for b in placed.blocks.values() if b.kind == "input"]
    everything = [block for layer in layers for block in layer]
    if inputs:
        others = [b for b in everything if b.kind != "input"]
        floor = max((b.y + b.down for b in others), default=0.0) + ROW_GAP
        for block in inputs:
            block.y = max(block.y, floor + block.up)
        _spread(inputs, {id(b): b.y for b in inputs}, 0)
    placed.top = min((b.y - b.up for b in everything), default=0.0)
    placed.bottom = max((b.y + b.down for b in everything), default=0.0)


def _lane_heights(layers: list[list[Block]], lane_count: int) -> list[float]:
    """The heights of the lanes: packed from the top, the last one below everything in the loop."""

    def needed(layer: list[Block], upper: int, lower: int) -> float:
        """The space that the blocks between two lanes need in this layer."""
        on = {block.lane: block for block in layer if block.lane in (upper, lower)}
        free = [b for b in layer if b.lane is None and b.zone == LOOP]
        inside = sum(b.up + b.down + ROW_GAP for b in free) if lower == lane_count - 1 else 0.0
        above = on[upper].down if upper in on else 0.0
        below = on[lower].up if lower in on else 0.0
        return above + ROW_GAP + inside + below

    heights = [0.0]
    for lane in range(1, lane_count):
        gap = max(needed(layer, lane - 1, lane) for layer in layers)
        heights.append(heights[-1] + max(46.0, gap))
    return heights


def _rank(block: Block, lane_count: int) -> float:
    """The order of the zones and lanes in a layer, from the top."""
    if block.lane is not None:
        bottom = block.lane == lane_count - 1 and lane_count > 1
        return 100.0 if bottom else 1.0 + block.lane
    return {ABOVE: 0.0, LOOP: 50.0, BELOW: 200.0}[block.zone]


def _spread(layer: list[Block], wished: dict[int, float], lane_count: int) -> None:
    """Set y as near to the wanted heights as the blocks' sizes and their order allow.

    Pooling neighbours that would overlap (isotonic regression) gives the least sum of squares.
    """
    layer.sort(key=lambda b: (_rank(b, lane_count), wished[id(b)]))
    pools: list[list[float]] = []  # weight, weighted sum of (wanted - offset), count
    offsets, offset = [], 0.0
    for place, block in enumerate(layer):
        if place:
            offset += layer[place - 1].down + ROW_GAP + block.up
        offsets.append(offset)
        weight = 1e6 if block.lane is not None else 1.0
        pools.append([weight, weight * (wished[id(block)] - offset), 1])
        while len(pools) > 1 and pools[-2][1] / pools[-2][0] > pools[-1][1] / pools[-1][0]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last)]
    place = 0
    for weight, total, count in pools:
        for _ in range(int(count)):
            layer[place].y = total / weight + offsets[place]
            place += 1
