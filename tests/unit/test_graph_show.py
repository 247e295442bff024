"""Pictures of graphs: nothing overlaps, nothing is left out, and pages can find what they colour."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counting import calls
from pyagent.graph.show import mermaid, svg, text
from pyagent.graph.show.icons import ICONS
from pyagent.graph.show.layers import Link, layered
from pyagent.graph.show.layout import Direction, arrange
from pyagent.graph.yaml import load_text
from pyagent.sdk import Registry

OURS = ("code.", "data.", "flow.", "io.", "memory.", "pipeline.")
GRAPH = load_text("""\
pyagent: 1
id: demo
name: Über <graphs> & "quotes"
nodes:
  - {id: start, use: flow.manual@1, name: Start}
  - {id: again, use: flow.loop@1}
  - {id: work, use: code.python@1, name: A name that is much too long for a card, on_error: route, notes: "a < b"}
  - id: end
    use: flow.map@1
    body:
      nodes: [{id: one, use: flow.noop@1}, {id: two, use: flow.noop@1}]
      edges: [one -> two]
  - {id: oops, use: flow.stop@1, disabled: true}
  - {id: both, use: flow.merge@1, join: 1 of 2}
edges:
  - start -> again
  - again.loop -> work
  - work -> again
  - work.error -> oops
  - again.done -> end
  - end -> both
  - oops -> both
""").spec

names = st.integers(0, 11).map(lambda number: f"n{number}")
slots = st.floats(-0.4, 0.4)
edge_lists = st.lists(st.builds(Link, names, names, slots, slots), max_size=24)


@settings(max_examples=150, deadline=None)
@given(edge_lists, st.sampled_from(["down", "right"]))
def test_cards_never_overlap_and_every_edge_joins_its_cards(edges: list[Link], direction: Direction) -> None:
    sizes = {f"n{number}": (200.0, 56.0 if number % 5 else 180.0) for number in range(12)}
    layout = arrange(sizes, edges, direction)
    for one, other in combinations(layout.boxes.values(), 2):
        beside = one.x + one.width <= other.x + 0.01 or other.x + other.width <= one.x + 0.01
        above = one.y + one.height <= other.y + 0.01 or other.y + other.height <= one.y + 0.01
        assert beside or above
    for box in layout.boxes.values():
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= layout.width
        assert box.y + box.height <= layout.height
    for edge, route in zip(edges, layout.routes, strict=True):
        source, target = layout.boxes[edge.source], layout.boxes[edge.target]
        (x0, y0), (x1, y1) = route.points[0], route.points[-1]
        if direction == "down":
            assert source.x <= x0 <= source.x + source.width
            assert target.x <= x1 <= target.x + target.width
            assert (y0, y1) == pytest.approx((source.y + source.height, target.y))
        else:
            assert (x0, x1) == pytest.approx((source.x + source.width, target.x))


@given(edge_lists)
def test_an_edge_leads_to_a_later_layer_or_is_a_back_edge(edges: list[Link]) -> None:
    plan = layered([f"n{number}" for number in range(12)], edges)
    for index, edge in enumerate(edges):
        assert (plan.layer[edge.source] < plan.layer[edge.target]) == (index not in plan.back)


def test_branches_that_can_be_drawn_without_a_crossing_are() -> None:
    edges = [Link("s", "b", 0.2), Link("s", "a", -0.2), Link("a", "x"), Link("b", "y"), Link("x", "t"), Link("y", "t")]
    plan = layered(["s", "b", "a", "y", "x", "t"], edges)
    assert [[key[0] for key in row] for row in plan.rows] == [["s"], ["a", "b"], ["x", "y"], ["t"]]


def test_an_svg_is_well_formed_and_names_every_node_and_edge() -> None:
    root = ElementTree.fromstring(svg(GRAPH))
    space = "{http://www.w3.org/2000/svg}"
    groups = root.findall(f".//{space}g")
    nodes = {group.get("data-node"): group for group in groups if group.get("data-node")}
    assert set(nodes) == {"start", "again", "work", "end", "one", "two", "oops", "both"}
    edges = [(group.get("data-source"), group.get("data-target")) for group in groups if group.get("data-source")]
    assert len(edges) == 8
    assert ("one", "two") in edges
    title = nodes["work"].findtext(f"{space}title")
    assert title == "A name that is much too long for a card (code.python@1)\na < b"
    assert "disabled" in (nodes["oops"].get("class") or "").split()
    for part in ("title", "type", "meta", "dot"):
        assert any(part == child.get("class") for child in nodes["work"])
    labels = {element.text for group in groups if "port" in (group.get("class") or "") for element in group}
    assert {"loop", "done", "error"} <= labels


def test_text_that_does_not_fit_a_card_is_cut_and_told_in_full_by_the_tip() -> None:
    drawn = svg(GRAPH)
    assert re.search(r'class="title"[^>]*>A name that…?[^<]*…<', drawn)


def chain(length: int) -> str:
    nodes = "".join(f"  - {{id: n{number}, use: a.b@1}}\n" for number in range(length))
    edges = "".join(f"  - n{number} -> n{number + 1}\n" for number in range(length - 1))
    return f"pyagent: 1\nid: a\nnodes:\n{nodes}edges:\n{edges}"


def test_a_small_chain_runs_to_the_right_and_a_long_one_down() -> None:
    def size(drawn: str) -> tuple[int, int]:
        found = re.search(r'viewBox="0 0 (\d+) (\d+)"', drawn)
        assert found is not None
        return int(found[1]), int(found[2])

    width, height = size(svg(load_text(chain(4)).spec))
    assert height < width <= 1400
    width, height = size(svg(load_text(chain(12)).spec))
    assert width < height


def test_the_work_of_a_picture_grows_with_the_nodes_and_not_with_their_square() -> None:
    def drawn(count: int) -> int:
        many = load_text(chain(count)).spec
        return calls(lambda: (svg(many), text(many)))[1]

    assert drawn(800) < 5 * drawn(200)


def test_a_graph_with_wrong_edges_and_an_empty_one_can_be_drawn() -> None:
    wrong = load_text("pyagent: 1\nid: a\nnodes: [{id: x, use: a.b@1}]\nedges: [x -> nobody, x -> x]\n").spec
    empty = load_text("pyagent: 1\nid: a\n").spec
    for spec in (wrong, empty):
        ElementTree.fromstring(svg(spec))
        assert text(spec).startswith("a ")
        assert mermaid(spec).startswith("flowchart TD\n")


def test_the_tree_tells_branches_joins_loops_and_bodies_apart() -> None:
    expected = """\
demo  Über <graphs> & "quotes"  8 nodes, 8 edges
├── start  Start  flow.manual@1
└── ↓ again  flow.loop@1
    ├── loop: work  A name that is much too long for a card  code.python@1
    │   ├── ↺ again
    │   ├── error: oops  flow.stop@1  [disabled]
    │   └── ↓ both  flow.merge@1  [1 of 2]
    └── done: end  flow.map@1
        ├── body
        │   ├── one  flow.noop@1
        │   └── ↓ two  flow.noop@1
        └── → both
"""
    assert text(GRAPH) == expected


def test_mermaid_escapes_what_it_would_read_as_its_own() -> None:
    drawn = mermaid(GRAPH)
    assert '  subgraph end_["end<br/><small>flow.map@1</small>"]' in drawn
    assert "  again -->|done| end_\n" in drawn
    assert "  work -->|error| oops\n" in drawn
    spec = load_text('pyagent: 1\nid: a\nnodes: [{id: x, use: a.b@1, name: "a \\"b\\" <c>"}]\n').spec
    assert 'x["a #34;b#34; #60;c#62;<br/>' in mermaid(spec)


def test_every_node_type_that_comes_with_pyagent_has_an_icon_of_its_name() -> None:
    types = [type for type in Registry.installed().all() if type.use.startswith(OURS)]
    assert len(types) > 30
    assert {type.icon for type in types} - ICONS.keys() == set()
