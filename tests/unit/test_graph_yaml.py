"""Reading graph files, saying where they are wrong, changing and formatting them."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from counting import calls
from pyagent.errors import GraphError
from pyagent.graph.parts import Join, Use, parse_edge
from pyagent.graph.spec import GraphSpec, NodeSpec
from pyagent.graph.yaml import Document, dump, fmt, load_file, load_text
from pyagent.graph.yaml_tree import MAX_CHARACTERS

ROOT = Path(__file__).resolve().parents[2]

ODD = dedent("""\
    # A file in nobody's style
    id:   demo          # stable
    pyagent: 1
    inputs:  {mail: {type: object}}     # two blanks

    edges:
    - a->b              # no blanks
    # in front of the second
    - b.x   ->   c
    nodes:
    -   id: a
        use: data.set@1
        join: all       # said although it is the default
        with: { v: 'single' ,  w: "double" }
        timeout: 60s

    -   # odd place
        id: b
        use: flow.switch@1
        notes: >
          folded
          text
    -   {id: c, use: flow.noop@1}
    """)


def refused(text: str | bytes) -> GraphError:
    with pytest.raises(GraphError) as caught:
        load_text(text, "demo.yaml")
    return caught.value


def with_node(document: Document, index: int, **changes: object) -> GraphSpec:
    nodes = list(document.spec.nodes)
    nodes[index] = nodes[index].model_copy(update=changes)
    return document.spec.model_copy(update={"nodes": tuple(nodes)})


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("", 1, 1, "empty"),
        ("# only a comment\n", 1, 1, "empty"),
        ("- a\n", 1, 1, "mapping"),
        ("just text\n", 1, 1, "mapping"),
        ("id: a\nid: b\n", 2, 1, "stands twice"),
        ("a: {b: 1, b: 2}\n", 1, 11, "stands twice"),
        ("a:\n\tb: 1\n", 2, 1, "not YAML"),
        ("a: [1, 2\nb: 3\n", 2, 2, "not YAML"),
        ("a: 'open\n", 1, 4, "not YAML"),
        ("a: b: c\n", 1, 5, "not YAML"),
        ("a: 1\n---\nb: 1\n", 2, 1, "second document"),
        ("a: !!python/object x\n", 1, 4, "tag"),
        ("a: !mine {b: 1}\n", 1, 4, "tag"),
        ("? {a: 1}\n: 2\n", 1, 3, "key"),
        ("a: {{ $json.x }}\n", 1, 5, "key"),
        ("a: .nan\n", 1, 4, "number"),
        ("a: *nobody\n", 1, 4, "alias"),
        ("a: &x [*x]\n", 1, 8, "alias"),
        ("a: \x07\n", 1, 4, "character"),
        ("a: " + "[" * 70 + "]" * 70 + "\n", 1, 67, "nested"),
        ("a: " + "1" * 2000 + "\n", 1, 4, "digits"),
    ],
)
def test_what_is_no_yaml_is_refused_with_line_column_and_hint(text: str, line: int, column: int, says: str) -> None:
    error = refused(text)
    assert error.code == "graph.yaml"
    assert (error.where.file, error.where.line, error.where.column) == ("demo.yaml", line, column)
    assert says in error.message
    assert error.hint


def test_aliases_that_multiply_are_refused_before_they_take_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    error, work = calls(lambda: refused("\n".join(lines)))
    assert "values" in error.message
    assert work < 5_000_000  # all of them are 10 ** 12 values


def test_a_text_beyond_the_limit_is_refused_unread() -> None:
    assert "longer" in refused("#" * (MAX_CHARACTERS + 1)).message


def test_bytes_that_are_not_utf_8_are_refused_at_their_line() -> None:
    error = refused(b"pyagent: 1\nid: \xff\n")
    assert (error.code, error.where.line) == ("graph.yaml", 2)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphError) as caught:
        load_file(tmp_path / "none.yaml")
    assert caught.value.code == "graph.file"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "line", "column", "code"),
    [
        ("pyagent: 2\nid: a\n", 1, 10, "graph.version.unsupported"),
        ("pyagent: true\nid: a\n", 1, 10, "graph.version.unsupported"),
        ("pyagent: 1\nid: A b\n", 2, 5, "graph.id.invalid"),
        ("pyagent: 1\nid: a\nnodes: 3\n", 3, 8, "graph.schema"),
        ("pyagent: 1\nid: a\nnodes:\n  - id: x\n", 4, 5, "graph.schema"),
        ("pyagent: 1\nid: a\nnodes:\n  - {id: x, use: a.b}\n", 4, 18, "graph.schema"),
        ("pyagent: 1\nid: a\nnodes:\n  - {id: x, use: a.b@1, retry: {attempts: 0}}\n", 4, 43, "graph.schema"),
        ("pyagent: 1\nid: a\nnodes:\n  - {id: x, use: a.b@1, retry: {attempts: '3'}}\n", 4, 43, "graph.schema"),
        ("pyagent: 1\nid: a\nnodes:\n  - {id: x, use: a.b@1, timeout: 30}\n", 4, 34, "graph.schema"),
        ("pyagent: 1\nid: a\nnodes:\n  - {id: x, use: a.b@1, timeout: 0s}\n", 4, 34, "graph.schema"),
        ("pyagent: 1\nid: a\nnodes:\n  - {id: x, use: a.b@1, join: most}\n", 4, 31, "graph.schema"),
        ("pyagent: 1\nid: a\nnodes:\n  - {id: x, use: a.b@1, disabled: yes}\n", 4, 35, "graph.schema"),
        ("pyagent: 1\nid: a\nedges: [a -> b -> c]\n", 3, 9, "graph.edge.syntax"),
        ("pyagent: 1\nid: a\nsettings: {timezone: Mars/Base}\n", 3, 22, "graph.schema"),
        ("pyagent: 1\nid: a\npins: {x: 3}\n", 3, 11, "graph.schema"),
        ("pyagent: 1\nid: a\nlayout: {x: [1]}\n", 3, 10, "graph.schema"),
        ("pyagent: 1\nid: a\nbogus: 1\n", 3, 1, "graph.schema"),
    ],
)
def test_what_does_not_fit_the_format_is_refused_at_its_place(text: str, line: int, column: int, code: str) -> None:
    error = refused(text)
    assert (error.code, error.where.line, error.where.column) == (code, line, column)


def test_everything_that_does_not_fit_is_in_the_details_in_order() -> None:
    error = refused("pyagent: 1\nid: A\nnodes:\n  - {id: x, use: y}\n  - {id: z, use: a.b@1, wiht: {}}\nedges: [q]\n")
    codes = [(problem["where"]["line"], problem["code"]) for problem in error.details["problems"]]
    assert codes == [(2, "graph.id.invalid"), (4, "graph.schema"), (5, "graph.schema"), (6, "graph.edge.syntax")]
    assert error.details["problems"][2]["hint"] == "Did you mean `with`?"
    assert error.details["problems"][2]["where"]["node"] == "z"


def test_words_of_yaml_1_1_are_strings() -> None:
    values = "[yes, no, on, off, y, 2026-11-22, 12:30:45, 1_000, 0o17, 0x1F, 1e3, ~, null, true]"
    document = load_text(f"pyagent: 1\nid: a\nnodes:\n  - {{id: x, use: a.b@1, with: {{v: {values}}}}}\n")
    assert document.spec.nodes[0].params["v"] == [
        *("yes", "no", "on", "off", "y", "2026-11-22", "12:30:45", "1_000"),
        *(15, 31, 1000.0, None, None, True),
    ]


def test_keys_are_strings_whatever_they_look_like() -> None:
    document = load_text("pyagent: 1\nid: a\nnodes:\n  - {id: x, use: a.b@1, with: {1: a, true: b, null: c}}\n")
    assert document.spec.nodes[0].params == {"1": "a", "true": "b", "null": "c"}


def test_a_place_inside_a_node_is_found_by_its_path() -> None:
    document = load_text(
        dedent("""\
            pyagent: 1
            id: a
            nodes:
              - id: x
                use: flow.switch@1
                with:
                  rules:
                    - {when: "{{ 1 }}", to: a}
                    - when: "{{ 2 }}"
                      to: b
            """),
        "demo.yaml",
    )
    where = document.where(("nodes", 0, "with", "rules", 1, "when"), node="x")
    assert str(where) == "demo.yaml:9:17, node x, field with.rules.1.when"
    where = document.where(("nodes", 0, "with", "nothing"))
    assert (where.line, where.column) == (6, 5)


@pytest.mark.parametrize("text", [ODD, ODD.replace("\n", "\r\n"), "\ufeff" + ODD, ODD.rstrip("\n"), "---\n" + ODD])
def test_a_file_that_is_not_changed_is_saved_byte_for_byte(text: str) -> None:
    document = load_text(text.encode())
    assert document.save_text().encode() == text.encode()
    assert document.update(load_text(ODD).spec).save_text() == text


def test_a_change_touches_its_own_lines_only() -> None:
    document = load_text(ODD)
    changed = document.update(with_node(document, 1, name="The switch", join=Join("any")))
    before, after = ODD.splitlines(), changed.save_text().splitlines()
    assert [line for line in after if line not in before] == ["    name: The switch", "    join: any"]
    assert [line for line in before if line not in after] == []


def test_a_value_that_changes_keeps_the_comment_beside_it() -> None:
    document = load_text(ODD)
    text = document.update(document.spec.model_copy(update={"id": "other"})).save_text()
    assert text == ODD.replace("id:   demo          # stable", "id:   other          # stable")


def test_a_removed_node_takes_its_lines_and_nothing_else() -> None:
    document = load_text(ODD)
    kept = (document.spec.nodes[0], document.spec.nodes[2])
    text = document.update(document.spec.model_copy(update={"nodes": kept})).save_text()
    assert "odd place" not in text
    assert "id: b" not in text
    assert "use: flow.switch@1" not in text
    assert "    timeout: 60s\n" in text
    assert "-   {id: c, use: flow.noop@1}\n" in text


def test_new_nodes_and_edges_come_in_the_style_of_the_file() -> None:
    document = load_text(ODD)
    node = NodeSpec(id="d", use=Use("data.set", 1), params={"text": "one\ntwo\n"})
    spec = document.spec.model_copy(
        update={
            "nodes": (*document.spec.nodes, node),
            "edges": (document.spec.edges[0], parse_edge("a -> d"), document.spec.edges[1]),
            "layout": {"a": (0, 0), "d": (10, 2.5)},
        }
    )
    changed = document.update(spec)
    text = changed.save_text()
    assert changed.spec == spec
    assert "- a->b              # no blanks\n- a -> d\n# in front of the second\n" in text
    assert text.endswith(
        "-   {id: c, use: flow.noop@1}\n- id: d\n  use: data.set@1\n  with:\n    text: |\n      one\n      two\n"
        "layout:\n  a: [0, 0]\n  d: [10, 2.5]\n"
    )


def test_line_ends_and_byte_order_mark_survive_a_change() -> None:
    document = load_text("\ufeff" + ODD.replace("\n", "\r\n"))
    text = document.update(document.spec.model_copy(update={"name": "Demo"})).save_text()
    assert text.startswith("\ufeff#")
    assert "\n" not in text.replace("\r\n", "")
    assert load_text(text).spec.name == "Demo"


def test_a_change_under_an_alias_changes_only_what_was_meant() -> None:
    text = "pyagent: 1\nid: a\nnodes:\n  - {id: x, use: a.b@1, with: &w {v: 1}}\n  - {id: y, use: a.b@1, with: *w}\n"
    document = load_text(text)
    changed = document.update(with_node(document, 0, params={"v": 2}))
    assert [node.params["v"] for node in load_text(changed.save_text()).spec.nodes] == [2, 1]


def test_the_canonical_style_puts_keys_in_order_and_keeps_comments_with_their_entries() -> None:
    assert fmt(ODD) == dedent("""\
        # A file in nobody's style
        pyagent: 1
        id: demo  # stable
        inputs: {mail: {type: object}}  # two blanks
        nodes:
          - id: a
            use: data.set@1
            with: {v: single, w: double}
            timeout: 1m
            join: all  # said although it is the default

          # odd place
          - id: b
            use: flow.switch@1
            notes: |
              folded text
          - id: c
            use: flow.noop@1

        edges:
          - a -> b  # no blanks
          # in front of the second
          - b.x -> c
        """).replace("notes: |\n      folded text\n", 'notes: "folded text\\n"\n')


def test_comments_inside_brackets_open_them() -> None:
    text = "pyagent: 1\nid: a\nnodes:\n  - {id: x, # first\n     use: a.b@1, with: {r: [1, # one\n      2]}}\n"
    assert fmt(text) == dedent("""\
        pyagent: 1
        id: a
        nodes:
          - id: x  # first
            use: a.b@1
            with:
              r:
                - 1  # one
                - 2
        """)


def test_a_file_that_fails_its_checks_can_be_formatted() -> None:
    assert fmt("id: A\npyagent: 9\nedges: [a > b]\n") == "pyagent: 9\nid: A\nedges:\n  - a > b\n"


def test_aliases_stay_where_their_anchor_comes_first_and_are_written_out_where_not() -> None:
    head = "pyagent: 1\nid: a\nnodes:\n  - id: x\n    use: a.b@1\n    "
    assert "&v [1]" in fmt(head + "with: {v: &v [1], w: *v}\n")
    text = fmt(head + "write: {s: &v [1]}\n    with: {v: *v}\n")
    assert "*" not in text
    assert load_text(text).spec.nodes[0].params == {"v": [1]}


def test_the_ready_made_graphs_and_the_example_in_the_docs_are_read() -> None:
    for path in (ROOT / "graphs").glob("*.yaml"):
        assert fmt(path.read_text()) == path.read_text(), f"run: pyagent graph fmt {path}"
    page = (ROOT / "docs/concepts/graph-file.md").read_text()
    example = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert example is not None
    assert load_text(example[1]).spec.id == "triage"


def test_a_graph_built_in_python_is_written_and_read_back() -> None:
    graph = GraphSpec(pyagent=1, id="a", nodes=(NodeSpec(id="x", use=Use("a.b", 1), params={"v": "{{ 1 }}"}),))
    assert dump(graph) == 'pyagent: 1\nid: a\nnodes:\n  - id: x\n    use: a.b@1\n    with: {v: "{{ 1 }}"}\n'
    assert load_text(dump(graph)).spec == graph


def test_the_work_of_reading_a_file_grows_with_the_nodes_and_not_with_their_square() -> None:
    def read(count: int) -> int:
        node = "  - id: n{0}\n    use: data.set@1\n    name: N {0}\n    with: {{fields: {{a: 1, b: '{{{{ 2 }}}}'}}}}\n"
        text = "pyagent: 1\nid: big\nnodes:\n" + "".join(node.format(n) for n in range(count))
        text += "edges:\n" + "".join(f"  - n{n} -> n{n + 1}\n" for n in range(count - 1))
        graph, work = calls(lambda: load_text(text))
        assert len(graph.spec.nodes) == count
        return work

    assert read(1000) < 5 * read(250)
