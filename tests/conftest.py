"""Fixtures that several folders of tests share."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import hypothesis
import jsonschema_rs
import pytest

from postgres_server import Postgres, postgres_server
from pyagent.runtime.event_kinds import EVENT_KINDS, data_schema, undeclared
from pyagent.store import base

# A case that takes long on a busy machine is no fault.
hypothesis.settings.register_profile("pyagent", deadline=None)
hypothesis.settings.load_profile("pyagent")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes comes first: at the end all processes but one would wait for it."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Postgres]:
    """A Postgres of this session's own; only tests marked `integration` ask for it."""
    with postgres_server() as found:
        yield found


@pytest.fixture(scope="session", autouse=True)
def events_as_declared() -> Iterator[None]:
    """Every event that the engine makes while tests run is of a declared kind and holds what is declared for it."""
    validators = {each.kind: jsonschema_rs.validator_for(data_schema(each)) for each in EVENT_KINDS}
    made = base.NewEvent.__init__

    def checked(
        self: base.NewEvent, *, kind: str, step: str = "", at: Any, data: Mapping[str, Any] | None = None
    ) -> None:
        made(self, kind=kind, step=step, at=at, data={} if data is None else data)
        if kind.partition(".")[0] in ("run", "step") and _by_the_engine():
            assert undeclared(kind, self.data) == [], self
            validators[kind].validate(json.loads(json.dumps(self.data, default=str)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base.NewEvent, "__init__", checked)
        yield


def _by_the_engine() -> bool:
    """Whether a module of the runtime makes the event: tests of stores make some of their own."""
    frame = sys._getframe(2)
    return str(frame.f_globals.get("__name__", "")).startswith("pyagent.runtime.")
