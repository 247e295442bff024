"""Fixtures of the conformance tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine_lab import Lab, opened


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    """Scripted nodes and an engine on a SQLite file."""
    async with opened(tmp_path) as found:
        yield found
