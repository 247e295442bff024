"""Draws a graph as SVG: cards for nodes, curves for edges, boxes for bodies.

Each node is `<g class="node" data-node="ID">`; a page shows a run live by setting `data-status` on it to `waiting`,
`running`, `completed`, `failed`, `skipped`, `cancelled` or `unknown`, and `data-active` on
`<g class="edge" data-source data-target data-port>`; the empty `<text class="meta">` of a node is for a count or a
time. Colours are CSS variables (`--pg-…`), dark or light by the reader's preference or by `data-theme` on any parent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape as escape_html
from itertools import pairwise
from typing import Literal

from pyagent.graph.check.catalogue import Catalogue
from pyagent.graph.show.icons import icon
from pyagent.graph.show.layers import Link, back_edges
from pyagent.graph.show.layout import Box, Direction, Layout, Point, Route, arrange
from pyagent.graph.show.style import STYLE
from pyagent.graph.spec import Edge, GraphSpec, NodeSpec

WIDTH, HEIGHT = 200.0, 56.0
"""Size of a node's card."""
PAGE = 1400.0
"""A graph runs to the right if it fits into this width, else down."""
_HUES = 8
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BACK_SLOT = 0.3
"""Where back edges arrive, beside the way in."""
_TITLE_LETTER, _TYPE_LETTER = 7.6, 6.2
"""Widths of an average letter, on the safe side, since a file cannot measure text."""
_ROUND = 12.0


@dataclass(frozen=True, kw_only=True)
class _Drawn:
    """A set of nodes and edges, placed."""

    nodes: Sequence[NodeSpec]
    edges: Sequence[Edge]
    ports: Sequence[str]
    """Source port of each edge."""
    layout: Layout
    bodies: dict[str, _Drawn]


def svg(spec: GraphSpec, catalogue: Catalogue | None = None, *, direction: Direction | Literal["auto"] = "auto") -> str:
    """The graph as one SVG document, which also works inside of a page.

    Edges that name no node are left out, so that a graph that fails its checks can be drawn.
    """
    artist = _Artist(catalogue, "right" if direction == "auto" else direction)
    drawn = artist.place(spec.nodes, spec.edges)
    if direction == "auto" and (drawn.layout.width > PAGE or drawn.bodies):
        artist = _Artist(catalogue, "down")
        drawn = artist.place(spec.nodes, spec.edges)
    width, height = math.ceil(drawn.layout.width), math.ceil(drawn.layout.height)
    title = escape(spec.name or spec.id)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="pyagent-graph" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{title}">',
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="pg-arrow" viewBox="0 0 10 10" refX="8.5" refY="5" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path class="head" d="M1 1.2L9 5 1 8.8z"/></marker></defs>',
        *artist.draw(drawn, 0.0, 0.0),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Artist:
    def __init__(self, catalogue: Catalogue | None, direction: Direction) -> None:
        self.catalogue = catalogue
        self.direction: Direction = direction
        self.down = direction == "down"

    def ports(self, node: NodeSpec) -> list[str]:
        """The node's output ports as far as they are known."""
        found = self.catalogue.get(str(node.use)) if self.catalogue else None
        ports = list(found.ports_out(node.params) or ()) if found else []
        return [*ports, "error"] if node.on_error == "route" and "error" not in ports else ports

    def place(self, nodes: Sequence[NodeSpec], edges: Sequence[Edge]) -> _Drawn:
        """Lay the nodes out, bodies first, since these make their nodes larger."""
        by_id = {node.id: node for node in nodes}
        known = [edge for edge in edges if edge.source in by_id and edge.target in by_id]
        bodies = {
            node.id: self.place(node.body.nodes, node.body.edges) for node in by_id.values() if node.body is not None
        }
        sizes: dict[str, tuple[float, float]] = {}
        for node in by_id:
            body = bodies.get(node)
            sizes[node] = (max(WIDTH, body.layout.width), HEIGHT + body.layout.height) if body else (WIDTH, HEIGHT)
        order: dict[str, list[str]] = {node.id: self.ports(node) for node in by_id.values()}
        names: list[str] = []
        used: dict[str, list[str]] = {}
        for edge in known:
            ports = order[edge.source]
            name = edge.source_port or (ports[0] if ports else "out")
            names.append(name)
            if name not in used.setdefault(edge.source, []):
                used[edge.source].append(name)
        back = back_edges(list(by_id), [Link(edge.source, edge.target) for edge in known])
        ahead = {(known[index].source, name) for index, name in enumerate(names) if index not in back}
        for node, found in used.items():
            ports = [*order[node], *found]
            # a loop's lane is on the right, so the port that leads there comes last
            found.sort(key=lambda name, node=node, ports=ports: ((node, name) not in ahead, ports.index(name)))
        entries: dict[str, list[str]] = {}
        for edge in known:
            if (entry := edge.target_port or "") not in entries.setdefault(edge.target, []):
                entries[edge.target].append(entry)
        links = [
            Link(
                edge.source,
                edge.target,
                _slot(used[edge.source], names[index]),
                _slot(entries[edge.target], edge.target_port or "") if index not in back else _BACK_SLOT,
            )
            for index, edge in enumerate(known)
        ]
        layout = arrange(sizes, links, self.direction)
        return _Drawn(nodes=list(by_id.values()), edges=known, ports=names, layout=layout, bodies=bodies)

    def draw(self, drawn: _Drawn, x: float, y: float) -> list[str]:
        """The elements of a placed graph whose corner is at (x, y): edges below nodes, labels above both."""
        parts: list[str] = []
        labels: list[str] = []
        named: set[tuple[str, str]] = set()
        for edge, port, route in zip(drawn.edges, drawn.ports, drawn.layout.routes, strict=True):
            points = [(px + x, py + y) for px, py in route.points]
            kinds = " back" if route.back else ""
            kinds += " error" if port == "error" else ""
            path = _corners(points) if route.back else _curve(points, self.down)
            parts.append(
                f'<g class="edge{kinds}" data-source="{edge.source}" data-target="{edge.target}" '
                f'data-port="{escape(port)}"><path d="{path}" marker-end="url(#pg-arrow)"/></g>'
            )
            several = len({p for e, p in zip(drawn.edges, drawn.ports, strict=True) if e.source == edge.source}) > 1
            if (several or port not in ("out", "main")) and ((edge.source, port) not in named or route.back):
                named.add((edge.source, port))
                labels.append(self.label(port, points, route))
        for node in drawn.nodes:
            box = drawn.layout.boxes[node.id]
            parts += self.node(node, box, x, y, drawn.bodies.get(node.id))
        return [*parts, *labels]

    def label(self, port: str, points: list[Point], route: Route) -> str:
        text = _short(port, 14)
        width = len(text) * 6.0 + 12
        if route.back:
            x, y = points[2][0], (points[2][1] + points[3][1]) / 2
            if not self.down:
                x, y = (points[2][0] + points[3][0]) / 2, points[2][1]
        elif self.down:
            x, y = points[0][0], points[0][1] + 15
        else:
            x, y = points[0][0] + width / 2 + 8, points[0][1]
        return (
            f'<g class="port{" error" if port == "error" else ""}"><rect x="{_n(x - width / 2)}" y="{_n(y - 8.5)}" '
            f'width="{_n(width)}" height="17" rx="8.5"/>'
            f'<text x="{_n(x)}" y="{_n(y + 3.5)}">{escape(text)}</text></g>'
        )

    def node(self, node: NodeSpec, box: Box, x: float, y: float, body: _Drawn | None) -> list[str]:
        found = self.catalogue.get(str(node.use)) if self.catalogue else None
        kind = found.kind if found else "action"
        hue = sum(node.use.type.partition(".")[0].encode()) % _HUES
        left, top = box.x + x, box.y + y
        classes = f"node kind-{kind} hue-{hue}" + (" disabled" if node.disabled else "") + (" map" if body else "")
        room = (box.width if body else WIDTH) - 66
        tip = f"{node.label} ({node.use})" + (f"\n{node.notes}" if node.notes else "")
        join = "" if node.join.kind == "all" else str(node.join)
        parts = [
            f'<g class="{classes}" data-node="{node.id}" data-type="{node.use}" '
            f'transform="translate({_n(left)} {_n(top)})">',
            f"<title>{escape(tip)}</title>",
        ]
        if body:
            parts.append(f'<rect class="body" width="{_n(box.width)}" height="{_n(box.height)}" rx="16"/>')
        width = box.width if body else WIDTH
        parts += [
            f'<rect class="card" width="{_n(width)}" height="{_n(HEIGHT)}" rx="12"/>',
            '<rect class="slot" x="11" y="11" width="34" height="34" rx="9"/>',
            f'<path class="icon" transform="translate(18 18) scale(.8333)" d="{icon(found.icon if found else "")}"/>',
            f'<text class="title" x="56" y="25">{escape(_short(node.label, int((room - 12) / _TITLE_LETTER)))}</text>',
            f'<text class="type" x="56" y="42">{escape(_short(str(node.use), int(room / _TYPE_LETTER)))}</text>',
            f'<text class="meta" x="{_n(width - 12)}" y="42"></text>',
            f'<circle class="dot" cx="{_n(width - 15)}" cy="16" r="4"/>',
        ]
        if join:
            length = len(join) * 5.6 + 12
            corner = width - length - 10
            parts.append(
                f'<g class="join"><rect x="{_n(corner)}" y="-8" width="{_n(length)}" height="16" rx="8"/>'
                f'<text x="{_n(corner + length / 2)}" y="3.5">{join}</text></g>'
            )
        parts.append("</g>")
        if body:
            inner = left + (box.width - body.layout.width) / 2
            parts += [f'<g class="inside" data-body="{node.id}">', *self.draw(body, inner, top + HEIGHT), "</g>"]
        return parts


def escape(text: str) -> str:
    """As XML text or attribute: without the characters that XML cannot hold."""
    return escape_html(_NOT_XML.sub("\ufffd", text))


def _slot(ports: Sequence[str], port: str) -> float:
    """Where on its side a port is, from -0.5 to 0.5."""
    return (ports.index(port) + 1) / (len(ports) + 1) - 0.5


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: max(most - 1, 1)].rstrip() + "…"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _curve(points: Sequence[Point], down: bool) -> str:
    """Smooth through the points, along the flow at each of them."""
    path = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        if abs(x0 - x1) < 0.5 if down else abs(y0 - y1) < 0.5:
            path.append(f"L{_n(x1)} {_n(y1)}")
        elif down:
            middle = (y0 + y1) / 2
            path.append(f"C{_n(x0)} {_n(middle)} {_n(x1)} {_n(middle)} {_n(x1)} {_n(y1)}")
        else:
            middle = (x0 + x1) / 2
            path.append(f"C{_n(middle)} {_n(y0)} {_n(middle)} {_n(y1)} {_n(x1)} {_n(y1)}")
    return "".join(path)


def _corners(points: Sequence[Point]) -> str:
    """Straight from point to point with rounded corners."""
    path = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(_ROUND, math.dist(before, here) / 2, math.dist(here, after) / 2)
        start, end = _towards(here, before, radius), _towards(here, after, radius)
        path.append(f"L{_n(start[0])} {_n(start[1])}Q{_n(here[0])} {_n(here[1])} {_n(end[0])} {_n(end[1])}")
    return "".join(path) + f"L{_n(points[-1][0])} {_n(points[-1][1])}"


def _towards(start: Point, end: Point, length: float) -> Point:
    whole = math.dist(start, end) or 1.0
    return (
        start[0] + (end[0] - start[0]) * length / whole,
        start[1] + (end[1] - start[1]) * length / whole,
    )
