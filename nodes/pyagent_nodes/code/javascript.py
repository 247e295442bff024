"""`code.javascript`: a few lines of JavaScript in the expression engine."""

from __future__ import annotations

from typing import Any, Literal, cast

from pydantic import ByteSize, Field

from pyagent.sdk import Context, Item, Items, JsonObject, NodeError, NodeParams, node
from pyagent.sdk.fields import LITERAL, Duration
from pyagent.sdk.script import ScriptLimits

_MEBIBYTE = 1024 * 1024
_OF_N8N = frozenset({"json", "binary", "pairedItem", "error"})


class JavascriptParams(NodeParams):
    """Parameters of `code.javascript`."""

    code: str = Field(
        min_length=1,
        description="The body of a function. It sees `items`, a list of JSON objects (or `item`), `$input`, `$json` "
        "and all that expressions see, and returns JSON objects",
        json_schema_extra=LITERAL,
        examples=["return items.filter((item) => item.price > 10)"],
    )
    mode: Literal["all", "each"] = Field(
        "all", description="Called once for all items, or for each (return null to drop it)"
    )
    timeout: Duration = Field(
        "10s", validate_default=True, description="Longest run, with `each` of one item; then it is stopped"
    )
    memory: ByteSize = Field(
        ByteSize(64 * _MEBIBYTE), ge=_MEBIBYTE, description="Memory at most, for the items too", examples=["256 MiB"]
    )


@node("code.javascript", title="JavaScript", icon="braces", effects="none", makes_items=True)
async def javascript(items: Items, params: JavascriptParams, ctx: Context) -> list[Item]:
    """Run JavaScript on the items, in the engine that evaluates expressions.

    It can only compute: there are no files, requests, modules or promises, so its effects are none; `Math.random()`
    and the clock are those of the step and the same in a replay. `console.log` writes log lines. As in n8n,
    `$input.all()` gives items as `{json, binary}`, and objects with only such fields are taken for items when they
    come back. With `mode: all`, a list as long as the input keeps the lineage item by item; with `mode: each`,
    always, and items keep their binaries. For packages, files and longer work use `code.python`.
    """
    limits = ScriptLimits(seconds=params.timeout.total_seconds(), memory=int(params.memory))
    returned = await ctx.javascript(params.code, items, mode=params.mode, limits=limits)
    if params.mode == "all":
        return [Item(_object(value, index)) for index, value in enumerate(_several(returned[0]))]
    made: list[Item] = []
    for index, (item, value) in enumerate(zip(items, returned, strict=True)):
        made += [Item(_object(one, index), item.binary, item.sources) for one in _several(value)]
    return made


def _several(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [] if value is None else [value]


def _object(value: Any, index: int) -> JsonObject:
    if not isinstance(value, dict):
        raise NodeError(
            f"the code returned {_KINDS.get(type(value), 'something else')} where a JSON object goes (item {index})",
            code="node.code_returned",
            hint="Return objects, e.g. `return items.map((item) => ({value: item.x}))`.",
        )
    found = cast("JsonObject", value)
    if isinstance(found.get("json"), dict) and found.keys() <= _OF_N8N:
        return cast("JsonObject", found["json"])
    return found


_KINDS: dict[type[Any], str] = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
}
