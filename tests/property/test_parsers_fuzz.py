"""Whatever bytes stand in a file or a template, the parsers read or refuse them: no traceback, no hang."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pyagent.errors import ExpressionError, GraphError
from pyagent.graph.yaml import decode, fmt
from pyagent.graph.yaml_tree import Tree, parse
from pyagent.runtime.checking import GraphChecker, TemplateReader
from pyagent.runtime.expressions import check_syntax
from pyagent.runtime.expressions import parse as parse_template

pytestmark = pytest.mark.timeout(300)
SETTINGS = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))

GRAPH = b"""pyagent: 1
id: demo
nodes:
  - id: a
    use: data.set@1
    with: {fields: {x: "{{ $json.a }}"}}   # remark
    notes: |
      two
      lines
edges:
  - a -> b
"""
pieces = [b"\n", b"  ", b"- ", b": ", b"{", b"}", b"[", b"]", b'"', b"'", b"|", b">", b"&a ", b"*a", b"#", b"!", b"\t"]
pieces += [
    b"<<<<<<< a\n",
    b"=======\n",
    b">>>>>>> b\n",
    b"---\n",
    b"\xef\xbb\xbf",
    b"\r",
    b"\x00",
    b"\xff",
    b"{{",
    b"? ",
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A graph with bytes put in, taken out or doubled."""
    data = bytearray(GRAPH)
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.integers(0, 12)))
        data[begin:end] = draw(st.sampled_from(pieces) | st.binary(max_size=6) | st.just(bytes(data[begin:end] * 2)))
    return bytes(data)


texts = st.binary(max_size=120) | damaged() | st.lists(st.sampled_from(pieces), max_size=30).map(b"".join)
CHECKER = GraphChecker()


@SETTINGS
@given(texts)
@example(b"\xef\xbb\xbf")
@example(b"? a\n: b\n")
@example(b"a: &a [*a]\n")
def test_any_bytes_are_a_tree_or_an_error_with_a_place_in_the_text(data: bytes) -> None:
    lines = data.count(b"\n") + data.count(b"\r") + data.count(b"\xc2\x85") + data.count(b"\xe2\x80") + 1
    refused: GraphError | None = None
    try:
        text = decode(data).removeprefix("\ufeff")
        inside(parse(text), text)
        assert fmt(fmt(text)) == fmt(text)
    except GraphError as error:
        refused = error
    if refused is not None:
        assert refused.code in ("graph.yaml", "graph.conflict")
        assert refused.hint
        assert 1 <= (refused.where.line or 0) <= lines + 1
        assert (refused.where.column or 0) >= 1
    for problem in CHECKER.check_text(data):
        assert problem.hint
        assert 1 <= (problem.where.line or 0) <= lines + 1


def inside(tree: Tree, text: str) -> None:
    """Every value stands in the text, inside of the one that holds it."""
    assert 0 <= tree.start <= tree.end <= len(text)
    if tree.alias:
        return
    for item in (*tree.keys, *tree.items):
        assert tree.start <= item.start
        inside(item, text)


signs = [*"{}[]()'\"`\\$/*\n .;,:=?&|<>+-!~^%@#", "{{", "}}", "${", "//", "/*", "*/", "$json", "$('a')", "=>", "/}}/"]
signs += ["\u2028", "\ud83d\ude00", "\x00", "é", "\ufeff", "a", "1", "async ", "class ", "<!--", "\\u{1}", "?.", "`${`"]
templates = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(signs), max_size=30).map("".join),
    st.lists(st.sampled_from(signs), max_size=20).map(lambda parts: "{{ " + "".join(parts) + " }}"),
)


@SETTINGS
@given(templates)
@example("{{ `${'}}'}` }}")
@example("{{ /[}}]/ }}")
@example("{{ {{ }} }}")
@example("{{ '")
def test_any_template_is_read_or_refused_with_a_place_in_it(text: str) -> None:
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    refused: ExpressionError | None = None
    try:
        assert parse_template(text).parts or not text
        check_syntax(text)
    except ExpressionError as error:
        refused = error
    if refused is not None:
        assert refused.code.startswith("expr.")
        assert 1 <= (refused.where.line or 1) <= len(text.splitlines()) + 1
    reading = TemplateReader().read(text)
    assert reading.fault is None or (reading.fault.message and reading.fault.line >= 1 and reading.fault.column >= 1)


@SETTINGS
@given(st.text(st.characters(exclude_characters="{}"), max_size=40), st.integers(0, 3))
def test_a_text_without_braces_is_itself(text: str, count: int) -> None:
    text = text.encode("utf-8", "replace").decode()
    parsed = parse_template(text + "{" * (count % 2))
    assert "".join(part for part in parsed.parts if isinstance(part, str)) == text + "{" * (count % 2)
