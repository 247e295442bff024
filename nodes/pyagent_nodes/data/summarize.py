"""`data.summarize`: counts, sums, averages and more, by group."""

from __future__ import annotations

from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from pyagent.sdk import Context, Item, Items, ItemSource, JsonObject, NodeParams, node
from pyagent.sdk.fields import FieldPath, read_field, split_path, with_field
from pyagent_nodes.data._measures import Measure, measure
from pyagent_nodes.data._values import fingerprint, paced

Take: TypeAlias = Literal[
    "count", "count_unique", "sum", "mean", "median", "percentile", "stdev", "min", "max",
    "first", "last", "list", "unique", "join",
]  # fmt: skip


class Summary(NodeParams):
    """One number or list to work out."""

    take: Take = Field(
        description="count: items that have the field, or all items; count_unique: different values; sum; mean; "
        "median; percentile; stdev: of a sample; min and max: in the order of data.sort; first, last; list: all "
        "values; unique: each value once; join: as text"
    )
    of: FieldPath | None = Field(None, description="The field; only `count` can do without")
    into: FieldPath | None = Field(
        None, description="The field that gets the result; left out: `sum_price`, of `take` and the field's last name"
    )
    percent: float = Field(90, ge=0, le=100, description="For percentile")
    separator: str = Field(", ", description="For join")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.of is None and self.take != "count":
            raise ValueError(f"{self.take} needs a field: `of`")
        return self

    @property
    def name(self) -> str:
        """The path of the result."""
        if self.into is not None:
            return self.into
        if self.of is None:
            return self.take
        last = split_path(self.of)[-1].replace(".", r"\.")
        rank = f"{self.percent:g}".replace(".", "_") if self.take == "percentile" else ""
        return f"{self.take}{rank}_{last}"


class SummarizeParams(NodeParams):
    """Parameters of `data.summarize`."""

    summaries: list[Summary] = Field(
        min_length=1,
        description="What to work out",
        examples=[[{"take": "sum", "of": "price", "into": "total"}, {"take": "count"}]],
    )
    by: list[FieldPath] = Field(default_factory=list, description="One item for each combination of these fields")
    numbers_in_text: bool = Field(False, description="Text that is a number, as from CSV files, counts as one")
    others: Literal["fail", "skip"] = Field(
        "fail", description="What sums, means and the like do with what is no number; null is always skipped"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = [*self.by, *(summary.name for summary in self.summaries)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two results would be called {name!r}; name one with `into`")
        return self


@node("data.summarize", title="Summarize", icon="sigma", effects="none")
async def summarize(items: Items, params: SummarizeParams, ctx: Context) -> list[Item]:
    """Work out counts, sums, averages and the like over all items, or for each group, in order of its first item.

    A missing field or null is no value: `count` of a field leaves it out, and so do all others; in `by` it is a
    group. Sums and means are exact in decimals: each number counts as it is written, and the result is rounded once
    (0.1 and 0.2 is 0.3), whole sums up to 64 bits not at all. Median and percentiles lie between two values where
    they must (as spreadsheets' PERCENTILE.INC). Without values, counts and sums are 0, lists and texts empty, the
    rest null. Memory grows with the groups, and with the items for median, percentile, list and join.
    """
    groups: dict[bytes, _Group] = {}
    if not params.by:
        groups[b""] = _Group(params, {})
    async for _, item in paced(items, ctx):
        values = {path: read_field(item.json, path, None) for path in params.by}
        mark = fingerprint(list(values.values())) if values else b""
        if (group := groups.get(mark)) is None:
            group = groups[mark] = _Group(params, values)
        group.add(item)
    return [group.item() for group in groups.values()]


class _Group:
    def __init__(self, params: SummarizeParams, by: JsonObject) -> None:
        self._by = by
        self._measures: list[tuple[Summary, Measure]] = [
            (
                summary,
                measure(
                    summary.take,
                    name=summary.of or "",
                    percent=summary.percent,
                    separator=summary.separator,
                    numbers_in_text=params.numbers_in_text,
                    fail=params.others == "fail",
                ),
            )
            for summary in params.summaries
        ]
        self._sources: list[ItemSource] = []

    def add(self, item: Item) -> None:
        self._sources.extend(item.sources)
        for summary, found in self._measures:
            value: Any = True if summary.of is None else read_field(item.json, summary.of, None)
            if value is not None:
                found.add(value)

    def item(self) -> Item:
        made: JsonObject = {}
        for path, value in self._by.items():
            made = with_field(made, path, value)
        for summary, found in self._measures:
            made = with_field(made, summary.name, found.result())
        return Item(made, None, tuple(self._sources))
