"""Fixtures of the conformance tests."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from engine_lab import Lab, opened
from postgres_server import Postgres
from sample_api import sample_api
from smtp_server import mail_server_aside


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


@pytest.fixture
def example_smtp(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The credential `mail`: a mail server that takes everything but mail to `nobody`."""
    with mail_server_aside() as server:
        credential = {
            "host": "127.0.0.1",
            "port": server.port,
            "security": "none",
            "from": "PyAgent <robot@example.org>",
        }
        monkeypatch.setenv("PYAGENT_CREDENTIAL_MAIL", json.dumps(credential))
        yield {}


@pytest.fixture
def example_postgres(postgres_cluster: Postgres, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The credential `warehouse`: an empty database of Postgres."""
    monkeypatch.setenv("PYAGENT_CREDENTIAL_WAREHOUSE", json.dumps(postgres_cluster.credential))
    return {}
