"""Which rows of a step belong together: a band is a recurrent loop and the ops that serve it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable

from .columns import BARS
from .unrolled import Row, Unrolled, common_path

__all__ = ["bands_of"]

Feeds = dict[Hashable, set[Hashable]]


def bands_of(unrolled: Unrolled, rows: list[Row]) -> list[list[Row]]:
    """The rows in groups, each group after those that feed it.

    Rows that feed one another, in this step or the next, are the core of a band. Any other row
    joins the core with the same module path or, if there is none, its neighbours of the same path.
    """
    order = {row.key: place for place, row in enumerate(rows)}
    feeds: Feeds = {row.key: set() for row in rows}
    for link in unrolled.links.values():
        if link.source in order and link.target in order:
            feeds[link.source].add(link.target)
    fed_by = _reversed(feeds)
    label: dict[Hashable, Hashable] = {}
    cores = [core for core in _components(feeds) if len(core) > 1 or core[0] in feeds[core[0]]]
    homes = []
    for core in cores:
        home = common_path([unrolled.rows[key].path for key in core])
        homes.append(home)
        label.update(dict.fromkeys(core, core[0]))
    for row in rows:
        if min(row.members) <= BARS:
            label[row.key] = ("bar", min(row.members))
        if row.key in label:
            continue
        own = [core[0] for core, home in zip(cores, homes) if _is_in(row.path, home)]
        if len(own) > 1:  # with the first loop that it feeds, or the last one that feeds it
            feeding = _nearest(row.key, own, feeds, label)
            own = [key for key in own if key in feeding] or own
            fed = _nearest(row.key, own, fed_by, label) if not feeding else set()
            own = [key for key in own[::-1] if key in fed] or own
        label[row.key] = own[0] if own else _kin(row, feeds, fed_by, label, unrolled)
    groups: Feeds = {band: set() for band in dict.fromkeys(label[row.key] for row in rows)}
    for source, targets in feeds.items():
        groups[label[source]] |= {label[target] for target in targets}
    merged = _components(groups)  # groups that still feed one another are merged
    return [[row for row in rows if label[row.key] in set(group)] for group in merged]


def _is_in(path: str, home: str) -> bool:
    return path == home or (home != "" and path.startswith(home + "."))


def _nearest(
    start: Hashable, own: list[Hashable], feeds: Feeds, label: dict[Hashable, Hashable]
) -> set[Hashable]:
    """The first band in `own` that is met along `feeds`."""
    seen, frontier = {start}, [start]
    while frontier:
        found = {label[key] for key in frontier if label.get(key) in own}
        if found:
            return found
        frontier = [k for key in frontier for k in sorted(feeds[key], key=repr) if k not in seen]
        seen.update(frontier)
    return set()


def _kin(
    row: Row, feeds: Feeds, fed_by: Feeds, label: dict[Hashable, Hashable], unrolled: Unrolled
) -> Hashable:
    """The band of a neighbour with the same path that has one already, otherwise a new one."""
    for key in sorted(feeds[row.key] | fed_by[row.key], key=repr):
        if key in label and unrolled.rows[key].path == row.path:
            return label[key]
    return row.key


def _reversed(feeds: Feeds) -> Feeds:
    back: Feeds = defaultdict(set)
    for source, targets in feeds.items():
        for target in targets:
            back[target].add(source)
    return back


def _components(feeds: Feeds) -> list[list[Hashable]]:
    """The strongly connected components, sources first (Kosaraju, without recursion)."""
    place = {key: n for n, key in enumerate(feeds)}
    finished = _finishing_order(feeds, feeds, place)
    back = _reversed(feeds)
    found: list[list[Hashable]] = []
    seen: set[Hashable] = set()
    for key in reversed(finished):
        if key in seen:
            continue
        component, frontier = [], [key]
        seen.add(key)
        while frontier:
            here = frontier.pop()
            component.append(here)
            for other in back[here] - seen:
                seen.add(other)
                frontier.append(other)
        found.append(sorted(component, key=place.__getitem__))
    return found


def _finishing_order(
    feeds: Feeds, keys: Iterable[Hashable], place: dict[Hashable, int]
) -> list[Hashable]:
    """The keys in the order in which a depth-first search leaves them."""
    seen: set[Hashable] = set()
    order: list[Hashable] = []
    for start in reversed(list(keys)):
        if start in seen:
            continue
        seen.add(start)
        stack = [(start, iter(sorted(feeds[start], key=place.__getitem__, reverse=True)))]
        while stack:
            key, rest = stack[-1]
            other = next((k for k in rest if k not in seen), None)
            if other is None:
                order.append(key)
                stack.pop()
            else:
                seen.add(other)
                stack.append(
                    (other, iter(sorted(feeds[other], key=place.__getitem__, reverse=True)))
                )
    return order
