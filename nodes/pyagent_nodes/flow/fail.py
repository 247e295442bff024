"""`flow.fail`: an error on purpose."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pyagent.sdk import Context, Items, NodeError, NodeParams, node


class FailParams(NodeParams):
    """Parameters of `flow.fail`."""

    message: str = Field("The graph failed on purpose.", min_length=1, description="What went wrong, for people")
    code: str = Field(
        "node.failed",
        pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$",
        description="Stable code; retry policies and error branches look at it",
    )
    hint: str = Field("", description="What to do about it")
    details: dict[str, Any] = Field(default_factory=dict, description="More for programs")


# The port is for `on_error: continue`, which passes the items on with their error.
@node("flow.fail", title="Fail", icon="alert", effects="none")
async def fail(items: Items, params: FailParams, ctx: Context) -> None:
    """Fail this step with a message and a code; unlike `flow.stop`, its `retry` and `on_error` apply."""
    raise NodeError(params.message, code=params.code, hint=params.hint, details=params.details)
