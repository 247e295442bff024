"""What a row of the benchmark is, and how its samples become figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

BETTER = Literal["less", "more"]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One thing that is measured, in a process of its own: a sampler, or a whole command that is timed."""

    name: str
    sampler: str = ""
    """`module:function` of an async context manager that gives an async function, which returns one sample."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The sampler's keyword arguments."""
    command: Sequence[str] = ()
    """Timed from start to end, in seconds; `{python}`, `{bin}` and `{folder}` are filled in."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What a row must reach."""

    text: str
    """As people read it."""
    ratio: float | None = None
    """At least so many times better than the peer."""
    value: float | None = None
    """At most this (`better="less"`) or at least this, in the row's unit."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    id: str
    work: str
    unit: str
    ours: Side
    peer: Side | None = None
    limit: Side | None = None
    """What no engine could beat, such as plain asyncio; shown, never a bar."""
    better: BETTER = "less"
    bar: Bar | None = None
    samples: int = 7
    """Of each side, after one that does not count (`warm`)."""
    warm: bool = True
    needs: Literal["", "neo4j"] = ""
    """A server that both sides use."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The samples of one side."""

    samples: Sequence[float]

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def spread(self) -> float:
        """Half the range between the quartiles, as a part of the median: 0.05 is ± 5 %."""
        ordered = sorted(self.samples)
        quarter = len(ordered) // 4
        return (ordered[-1 - quarter] - ordered[quarter]) / 2 / (self.median or 1.0)


def report(row: Row, ours: Figures, peer: Figures | None, limit: Figures | None) -> dict[str, Any]:
    """The row as `.bench/latest.json` holds it; `ratio` says how many times better than the peer."""
    ratio = None
    if peer is not None:
        ratio = peer.median / ours.median if row.better == "less" else ours.median / peer.median
    found: dict[str, Any] = {
        "id": row.id,
        "work": row.work,
        "ours": ours.median,
        "unit": row.unit,
        "peer": row.peer.name if row.peer else None,
        "peer_value": peer.median if peer else None,
        "ratio": ratio,
        "bar": row.bar.text if row.bar else None,
        "met": met(row, ours.median, ratio),
        "runs": len(ours.samples),
        "spread": max(figures.spread for figures in (ours, peer) if figures is not None),
    }
    if row.limit is not None and limit is not None:
        found |= {"limit": row.limit.name, "limit_value": limit.median}
    return found


def met(row: Row, ours: float, ratio: float | None) -> bool | None:
    """Whether the row reaches its bar; None where it has none."""
    if row.bar is None:
        return None
    reached = True
    if row.bar.ratio is not None:
        reached = ratio is not None and ratio >= row.bar.ratio
    if row.bar.value is not None:
        reached = reached and (ours <= row.bar.value if row.better == "less" else ours >= row.bar.value)
    return reached
