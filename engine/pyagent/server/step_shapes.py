"""What the API gives of a step's data: items by port, a page at a time, with the items they came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import Field

from pyagent.runtime.inspect import Origin, StepData
from pyagent.sdk.items import Item, Items, ItemSource
from pyagent.server.shapes import Shape, StepView

MAX_ITEMS = 1000
_MAX_BYTES = 4 * 1024 * 1024
"""Of each port's items; a page ends after the one that goes beyond."""


class BlobView(Shape):
    """A payload that an item has."""

    digest: str
    """`/api/v1/blobs/DIGEST` has it."""
    size: int
    name: str
    media_type: str


class OriginView(Shape):
    """The item of another step that an item came from."""

    step: str | None
    """Null: what the run, the map's element or the called graph began with."""
    port: str
    index: int


class ItemView(Shape):
    """An item."""

    index: int
    data: dict[str, Any] = Field(alias="json")
    binary: dict[str, BlobView]
    came_from: list[OriginView]
    """Of an input: the item that another step put out; of an output: those of the step's inputs that made it."""


class PortView(Shape):
    """A page of a port's items."""

    count: int
    """Items in all."""
    items: list[ItemView]
    next: int | None
    """`offset` of the next page; null at the end."""


class StepDetails(StepView):
    """A step with its data."""

    inputs: dict[str, PortView]
    outputs: dict[str, PortView]
    failures: list[dict[str, Any]]
    """The tries that failed and were repeated."""
    answer: dict[str, Any] | None
    """What ended the step's wait."""

    @classmethod
    def build(cls, view: StepView, found: StepData, *, offset: int, limit: int, port: str | None) -> StepDetails:
        """A page of the data of a step."""

        def given(_: Item, index: int, of: str) -> list[Origin | None]:
            return [found.origin(ItemSource(index, of))]

        def made(item: Item, _: int, __: str) -> list[Origin | None]:
            return [found.origin(source) for source in item.sources]

        def ports(all_: Mapping[str, Items], origins: Any) -> dict[str, PortView]:
            chosen = {name: items for name, items in all_.items() if port in (None, name)}
            return {name: _page(items, offset, limit, origins, name) for name, items in chosen.items()}

        return cls(
            **view.model_dump(),
            inputs=ports(found.inputs, given),
            outputs=ports(found.outputs, made),
            failures=[dict(failure) for failure in found.failures],
            answer=dict(found.answer) if found.answer else None,
        )


def _page(items: Items, offset: int, limit: int, origins: Any, port: str) -> PortView:
    shown: list[ItemView] = []
    size, end = 0, min(offset + limit, len(items))
    for index in range(offset, end):
        if size > _MAX_BYTES:
            end = index
            break
        item = items[index]
        size += len(orjson.dumps(item.json))
        binary = {name: BlobView(**ref.as_dict()) for name, ref in (item.binary or {}).items()}
        came_from = [
            OriginView(step=found.step, port=found.port, index=found.index)
            for found in origins(item, index, port)
            if found is not None
        ]
        shown.append(
            ItemView.model_validate({"index": index, "json": item.json, "binary": binary, "came_from": came_from})
        )
    return PortView(count=len(items), items=shown, next=end if end < len(items) and limit else None)


__all__ = ["StepDetails"]
