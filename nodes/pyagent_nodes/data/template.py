"""`data.template`: text, mail or a page from items."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import ByteSize, Field

from pyagent.sdk import Context, Item, Items, ItemSource, JsonObject, NodeError, NodeParams, node
from pyagent.sdk.fields import LITERAL, FieldPath, with_field
from pyagent_nodes.data._dates import BadDate, read_date, write_date, zone
from pyagent_nodes.data.datetime import Zone

_MEBIBYTE = 1024 * 1024
_BATCH = 50
"""Items rendered in one visit to a thread."""


class BadTemplate(NodeError):
    """A template cannot be read, or fails on an item."""

    code = "node.template"
    hint = "The language is Liquid: https://shopify.github.io/liquid/."


class TemplateParams(NodeParams):
    """Parameters of `data.template`."""

    template: str = Field(
        description="Liquid template, taken as written: `{{ name }}` is Liquid's, not an expression. It sees the "
        "item's fields or `items`, and `item`, `index`, `count`, `inputs`, `state`, `now`, which win over fields",
        json_schema_extra=LITERAL,
        examples=["Dear {{ name }},\n{% for line in lines %}- {{ line.title | upcase }}\n{% endfor %}"],
    )
    mode: Literal["each", "all"] = Field("each", description="A text for each item, or one of all `items`")
    into: FieldPath = Field("text", description="The field that gets the text")
    binary: str | None = Field(
        None, min_length=1, description="Put the text into this binary of the item instead of a field"
    )
    file_name: str = Field("", description="For a binary: its file name", examples=["report.html"])
    media_type: str = Field("", description="For a binary; left out: text/html or text/plain, as `escape` says")
    escape: Literal["none", "html"] = Field(
        "none", description="html: what comes from data cannot be markup; `| safe` lets a value through"
    )
    missing: Literal["empty", "fail"] = Field(
        "empty", description="What is not there reads as nothing, or is an error (but may be asked for by `if`)"
    )
    timezone: Zone | None = Field(None, description="Time zone of the filter `date`; left out: the graph's")
    max_loops: int = Field(100_000, ge=1, description="Turns of all loops at most")
    max_output: ByteSize = Field(ByteSize(10 * _MEBIBYTE), description="Largest text")


@node("data.template", title="Template", icon="file-type", effects="none")
async def template(items: Items, params: TemplateParams, ctx: Context) -> AsyncIterator[Item]:
    """Make text of a Liquid template for each item, or one text of all items.

    Beside Liquid's own filters there is `json`; `date` takes the formats of strftime and of luxon, and `now` is the
    step's recorded time. Templates read no files and no other templates. Turns of loops, the size of the text and of
    assigned values are bounded.
    """
    compiled = _compiled(params, ctx.now, params.timezone or ctx.timezone)
    given: JsonObject = {"inputs": dict(ctx.inputs), "state": dict(ctx.state), "now": ctx.now, "count": len(items)}
    if params.mode == "all":
        rows: list[JsonObject] = []
        sources: list[ItemSource] = []
        async for item in items:
            rows.append(item.json)
            sources += item.sources
        text = await asyncio.to_thread(_rendered, compiled, {**given, "items": rows}, None)
        yield await _made(Item({}, None, tuple(sources)), text, params, ctx)
        return

    def render(batch: Sequence[Item], first: int) -> list[str]:
        return [
            _rendered(compiled, {**item.json, **given, "item": item.json, "index": index}, index)
            for index, item in enumerate(batch, first)
        ]

    first = 0
    async for page in items.batches():
        for start in range(0, len(page), _BATCH):
            batch = page[start : start + _BATCH]
            texts = await asyncio.to_thread(render, batch, first)
            for index, (item, text) in enumerate(zip(batch, texts, strict=True), first):
                yield await _made(item, text, await ctx.params_for(params, index), ctx)
            first += len(batch)
            ctx.cancel.check()


async def _made(item: Item, text: str, params: TemplateParams, ctx: Context) -> Item:
    if params.binary is None:
        return Item(with_field(item.json, params.into, text), item.binary, item.sources)
    media_type = params.media_type or ("text/html" if params.escape == "html" else "text/plain")
    ref = await ctx.blobs.put(text.encode(errors="replace"), name=params.file_name, media_type=media_type)
    return Item(item.json, {**(item.binary or {}), params.binary: ref}, item.sources)


def _compiled(params: TemplateParams, now: datetime, timezone: str) -> Any:
    import liquid
    from liquid.exceptions import LiquidError

    class Environment(liquid.Environment):
        loop_iteration_limit = params.max_loops
        output_stream_limit = int(params.max_output)
        local_namespace_limit = int(params.max_output)

    undefined = liquid.FalsyStrictUndefined if params.missing == "fail" else liquid.Undefined
    environment = Environment(autoescape=params.escape == "html", undefined=undefined)
    # They would read other templates, of which there are none.
    for tag in ("include", "render"):
        environment.tags.pop(tag, None)
    local = zone(timezone)

    def date(value: Any, written: Any = "") -> Any:
        if isinstance(value, liquid.Undefined):
            return ""
        if value in ("now", "today"):
            value = now
        try:
            found = value if isinstance(value, datetime) else read_date(value, "", local)
            return write_date(found.astimezone(local), str(written))
        except (BadDate, ValueError, OverflowError):
            return value  # as Liquid has it

    environment.add_filter("date", date)
    environment.add_filter("json", lambda value, indent=None: _json(value, indent))
    try:
        return environment.from_string(params.template)
    except LiquidError as error:
        raise _bad(error, None) from None


def _json(value: Any, indent: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=str)


def _rendered(compiled: Any, values: Mapping[str, Any], index: int | None) -> str:
    from liquid.exceptions import LiquidError

    try:
        return compiled.render(values)
    except LiquidError as error:
        raise _bad(error, index) from None
    except RecursionError:
        raise BadTemplate("the template or its data is nested too deeply") from None


def _bad(error: Any, index: int | None) -> BadTemplate:
    from liquid.exceptions import ResourceLimitError

    token = error.token
    line = token.source.count("\n", 0, token.start_index) + 1 if token and token.start_index >= 0 else None
    place = [f"line {line}"] if line else []
    place += [f"item {index}"] if index is not None else []
    hint = (
        "Raise `max_loops` or `max_output`, or make the template do less."
        if isinstance(error, ResourceLimitError)
        else None
    )
    return BadTemplate(
        f"{error.message} ({', '.join(place)})" if place else str(error.message),
        hint=hint,
        details={"line": line, "item": index},
    )
