"""Fixtures of the conformance tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from engine_lab import Lab, opened
from sample_api import sample_api


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    """Scripted nodes and an engine on a SQLite file."""
    async with opened(tmp_path) as found:
        yield found


@pytest.fixture
def example_http(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """`${http}`: the address of the sample service, which nodes may reach."""
    monkeypatch.setenv("PYAGENT_ALLOW_PRIVATE", "127.0.0.1")
    with sample_api() as server:
        yield {"http": server.url}
