"""`flow.switch`: as many ways as there are rules."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pyagent.sdk import Context, Item, NodeParams, node
from pyagent.sdk.fields import Condition

REST = "rest"


class Rule(NodeParams):
    """One way out."""

    when: Condition = Field(description="The condition, evaluated for each item")
    to: str = Field(description="The output port", pattern=r"^[a-z][a-z0-9_]*$")


class SwitchParams(NodeParams):
    """Parameters of `flow.switch`."""

    rules: list[Rule] = Field(description="Looked at in this order", min_length=1)
    mode: Literal["first", "all"] = Field("first", description="An item goes to the first rule that holds, or to all")


def ports(params: SwitchParams) -> list[str]:
    """The rules' ports in order, each once, and `rest`."""
    return list(dict.fromkeys([*(rule.to for rule in params.rules), REST]))


@node("flow.switch", title="Switch", icon="route", ports_out=ports, effects="none", each_item=True)
async def switch(item: Item, params: SwitchParams, ctx: Context) -> dict[str, list[Item]]:
    """Send each item to the port of the rule that holds, and to `rest` when none does."""
    held = list(dict.fromkeys(rule.to for rule in params.rules if rule.when is True))
    if params.mode == "first":
        held = held[:1]
    return {port: [item] for port in held or [REST]}
