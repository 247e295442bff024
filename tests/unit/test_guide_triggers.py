"""The guide to triggers is tried: its graphs hold together, its source runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pyagent.graph.yaml import load_text
from pyagent.runtime.checking import GraphChecker
from pyagent.runtime.live_triggers import live_triggers
from pyagent.sdk import Registry
from pyagent.testing.sources import TestSource, occurrences

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "triggers.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("text", blocks("yaml"), ids=lambda text: text.split("id: ")[1].split("\n")[0])
def test_a_graph_of_the_guide_has_no_problems_and_the_world_starts_it(text: str) -> None:
    registry = Registry.installed()
    document = load_text(text)
    assert [problem.as_dict() for problem in GraphChecker(registry).check(document)] == []
    assert live_triggers(registry, document.spec)


async def test_the_source_of_the_guide_gives_what_it_says() -> None:
    names: dict[str, Any] = {}
    [program] = blocks("python")
    exec(compile(program, "triggers.md", "exec", dont_inherit=True), names)
    found = await occurrences(names["count"], {}, TestSource(), 10)
    assert [(one.key, dict(one.inputs)) for one in found] == [(str(n), {"number": n}) for n in range(3)]


def test_every_code_of_webhooks_stands_in_the_guide() -> None:
    sources = Path(__file__).parents[2] / "engine" / "pyagent" / "server"
    text = "".join((sources / name).read_text() for name in ("webhooks.py", "webhook_request.py"))
    codes = set(re.findall(r'"(webhook\.[a-z_]+)"', text)) - {"webhook.refused"}
    assert codes - set(re.findall(r"`(webhook\.[a-z_]+)`", GUIDE)) == set()
