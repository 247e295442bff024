"""What the language of expressions is said to have, the engine has."""

from __future__ import annotations

from datetime import UTC, datetime

from pyagent.runtime.expression_language import ENTRIES
from pyagent.runtime.expressions import EvaluationContext, Expressions, NodeView

_VALUES = {
    "string": "'text'",
    "number": "(5)",
    "boolean": "true",
    "array": "[1]",
    "object": "({a: 1})",
    "date": "$now",
    "items": "$input.first()",
    "input": "$input",
    "node": "$('a')",
}


def test_every_name_that_completion_proposes_is_there() -> None:
    item = {"json": {"a": 1}, "binary": {"file": {"name": "x"}}}
    context = EvaluationContext(
        now=datetime(2026, 3, 1, tzinfo=UTC),
        json={"a": 1},
        binary={},
        items={"in": [item]},
        node=lambda _: NodeView(items=[item]),
        **{name: {} for name in ("inputs", "state", "run", "execution", "workflow", "vars", "prev_node")},  # type: ignore[arg-type]
        scope=[],
    )
    expressions = Expressions()
    missing: list[str] = []
    for entry in ENTRIES:
        value = "$" if entry.on == "global" else _VALUES[entry.on]
        code = f"typeof {entry.name}" if entry.on == "global" else f"typeof {value}.{entry.name}"
        kind = expressions.evaluate(f"{{{{ {code} }}}}", context)
        is_function = "(" in entry.signature
        if kind == "undefined" or (is_function != (kind == "function") and entry.gives != "object"):
            missing.append(f"{entry.on}: {entry.signature} is {kind}")
    assert not missing


def test_every_entry_says_what_it_is_and_is_said_once() -> None:
    assert all(entry.doc and entry.gives and entry.signature.startswith(entry.name) for entry in ENTRIES)
    assert len({(entry.on, entry.signature) for entry in ENTRIES}) == len(ENTRIES)
