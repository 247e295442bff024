"""State channels from one version of a graph to another: what is carried as it is, and what a migration must change."""

from __future__ import annotations

from collections.abc import Mapping

from pyagent.graph.json_types import JsonType
from pyagent.graph.spec import GraphSpec, StateChannel


def takes(channel: JsonType, value: JsonType) -> bool:
    """Whether a channel of the first type can hold whatever one of the second held."""
    return channel in (value, "any") or value == "null" or (channel, value) == ("number", "integer")


def reads_alike(old: StateChannel | None, new: StateChannel | None) -> bool:
    """Whether the same writes make the same value of both."""
    if old is None or new is None:
        return old is new
    return (old.type, old.reduce, old.default) == (new.type, new.reduce, new.default)


def unmigrated(old: Mapping[str, StateChannel], new: Mapping[str, StateChannel]) -> list[str]:
    """Channels of `new` that cannot take what they held in `old`, and that say nothing of how it becomes theirs."""
    return [
        name
        for name, channel in new.items()
        if name in old and channel.migrate is None and not takes(channel.type, old[name].type)
    ]


def migration_notes(old: GraphSpec, new: GraphSpec) -> list[str]:
    """What people should know of the state channels of a version that takes the place of another."""
    return [
        f"state.{name}: {old.state[name].type} became {new.state[name].type} without `migrate`: runs that hold a value"
        " cannot begin anew or be forked on this version"
        for name in unmigrated(old.state, new.state)
    ]
