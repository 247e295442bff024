"""Fixtures that several folders of tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from postgres_server import Postgres, postgres_server


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Postgres]:
    """A Postgres of this session's own; only tests marked `integration` ask for it."""
    with postgres_server() as found:
        yield found
