"""State channels from one version of a graph to another: what is carried as it is, and what a migration must change."""

from __future__ import annotations

from collections.abc import Mapping

from pyagent.errors import Where
from pyagent.graph.json_types import JsonType
from pyagent.graph.problems import Problem
from pyagent.graph.spec import GraphSpec, StateChannel
from pyagent.graph.yaml import Document

UNMIGRATED = "without `migrate`, runs that hold a value cannot begin anew or be forked on this version"


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


def migration_problems(old: GraphSpec, new: Document) -> list[Problem]:
    """Warnings about a version that takes the place of another, and cannot go on with what runs of that one hold."""
    return [
        Problem(
            code="graph.state.unmigrated",
            severity="warning",
            message=f"`{name}` was {old.state[name].type} and is {new.spec.state[name].type}: {UNMIGRATED}",
            hint=f"Say what it begins with: `migrate`, a template that reads the old value as $state.{name}.",
            where=Where(
                file=new.file,
                line=new.tree.locate(("state", name, "type"))[0],
                column=new.tree.locate(("state", name, "type"))[1],
                field=f"state.{name}.type",
            ),
        )
        for name in unmigrated(old.state, new.spec.state)
    ]
