"""Expressions give what they give in n8n, on Node: hundreds of them, in three time zones, beside the npm package."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from n8n import CASES, NotThere, Peer
from pyagent.errors import PyAgentError
from pyagent.runtime.expressions import EvaluationContext, Expressions

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


GIVEN = json.loads(CASES.read_text())
EXPRESSIONS, ITEM = GIVEN["expressions"], GIVEN["item"]


def test_there_are_at_least_three_hundred() -> None:
    assert len(set(EXPRESSIONS)) >= 300


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_values_are_those_of_node(zone: str) -> None:
    try:
        with Peer("legacy", zone) as peer:
            theirs = peer.ask(EXPRESSIONS, ITEM)
    except NotThere as error:
        pytest.skip(str(error))
    expressions = Expressions(timezone=zone)
    context = EvaluationContext(now=datetime.now(UTC), json=ITEM)

    def ours(code: str) -> Any:
        try:
            return expressions.evaluate("{{ " + code + " }}", context)
        except PyAgentError:
            return "an error"

    different: dict[str, tuple[Any, Any]] = {}
    for code, their in zip(EXPRESSIONS, theirs, strict=True):
        expected = json.loads(their["value"]) if "value" in their else "an error"
        if (found := ours(code)) != expected:
            different[code] = (found, expected)
    assert different == {}
