"""Brings a run from a file (`runtime.run_file`) into a store, checked before anything is written, never to be executed.

Anybody may have made the file. So a run that had not ended comes in as cancelled, with the error `run.imported`; it is
in nobody's queue, holds no start key, takes no messages and is no run's successor. `resume` refuses it; a fork of it is
a run of whoever makes it. Graphs come in under the hash that their text has, and are not the newest versions of graphs
that are here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from pyagent.errors import NotFound, PyAgentError, RunError
from pyagent.graph.yaml import load_text
from pyagent.runtime.imported import LABEL, ImportedRun
from pyagent.runtime.journal import event, read_entries
from pyagent.runtime.log import Entry, EntryKind, encode
from pyagent.runtime.requests import new_run_id
from pyagent.runtime.run_decisions import decisions, state_of
from pyagent.runtime.run_export import pinned_version
from pyagent.runtime.run_file import FORMAT, LIMIT, BadRunFile, RunFileReader
from pyagent.runtime.state import RunState
from pyagent.runtime.store_copy import Carrier
from pyagent.sdk.registry import Registry
from pyagent.store.base import (
    ENDED,
    Commit,
    LogRecord,
    NewEvent,
    NewRun,
    RunStatus,
    StepLineage,
    StepRecord,
    StepStatus,
    Store,
)

if TYPE_CHECKING:
    from pyagent.runtime.engine import Engine

_OPEN = frozenset({"running", "waiting", "unknown"})
_KINDS: frozenset[str] = frozenset(get_args(EntryKind))

RunId = Annotated[str, Field(pattern="^[0-9a-z]{6,40}$")]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Word = Annotated[str, Field(max_length=1000)]
Kind = Annotated[str, Field(pattern=r"^[a-z_]{1,40}\.[a-z_]{1,40}$")]
Time = Annotated[
    AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))
]  # others some stores cannot keep
Count = Annotated[int, Field(ge=0, le=2**53)]
Fields = dict[str, Any]
M = TypeVar("M", bound="_Part")


class RunExists(RunError):
    """A run of the file is in the store already."""

    code = "run_file.exists"
    hint = "Look at it with `pyagent show RUN`, delete it first, or import under a new id: --as-new"


class DecidesOtherwise(RunError):
    """The log of an exported run does not decide here what it decided there."""

    code = "run_file.decides_otherwise"
    hint = (
        "Node types or rules differ between the two programs. To have the run all the same, so that it can be looked"
        " at: --unchecked"
    )


@dataclass(kw_only=True)
class Imported:
    """What an import came to."""

    runs: list[str] = field(default_factory=list[str])
    """Ids that the runs have here; the exported one first, then its children."""
    status: RunStatus = "completed"
    """How the first one stood when it was exported."""
    graphs: int = 0
    """Versions of graphs that were not here before."""
    replayed: bool = False
    """Whether the logs were replayed, and decide here what they decided there."""
    notes: list[str] = field(default_factory=list[str])
    """What the exporter said, and why a log was not replayed."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _GraphPart(_Part):
    id: Word
    hash: Digest


class _Manifest(_Part):
    format: int
    run: RunId
    runs: Annotated[list[RunId], Field(min_length=1)]
    graphs: list[_GraphPart]
    notes: list[str] = []


class _Row(_Part):
    id: RunId
    graph_id: Word
    graph_hash: Digest
    trigger: Word
    status: RunStatus
    created_at: Time
    started_at: Time | None
    ended_at: Time | None
    updated_at: Time
    inputs: Fields
    outputs: Any
    error: Fields | None
    production: bool
    key: Word | None
    parent_run: RunId | None
    parent_step: Word | None
    forked_from: RunId | None
    continues: RunId | None
    actor: Word
    semantics: Annotated[int, Field(ge=1, le=1000)]
    labels: dict[str, Word]
    blobs: list[Digest]


class _EntryLine(_Part):
    kind: Word
    step: Word
    body: Fields


class _EventLine(_Part):
    kind: Kind
    step: Word
    at: Time
    data: Fields


class _Lineage(_Part):
    used: list[Word]
    read: dict[Digest, str]
    produced: dict[Digest, str]
    outcome: Annotated[str, Field(pattern="^[0-9a-f]{0,64}$")]


class _StepLine(_Part):
    step: Word
    node: Word
    scope: Word
    status: StepStatus
    attempt: Count
    started_at: Time | None
    ended_at: Time | None
    items_in: Count
    items_out: dict[str, Count]
    error: Fields | None
    wait: Fields | None
    lineage: _Lineage | None


@dataclass(kw_only=True)
class _ReadRun:
    row: _Row
    log: list[LogRecord]
    events: list[NewEvent]
    steps: list[StepRecord]
    decisions: list[Fields] | None


@dataclass(kw_only=True)
class _Contents:
    manifest: _Manifest
    graphs: dict[str, tuple[str, str]]
    """Id and text by hash."""
    runs: list[_ReadRun]


async def import_run(
    engine: Engine,
    path: Path,
    *,
    as_new: bool = False,
    unchecked: bool = False,
    limit: int = LIMIT,
    actor: str = "local",
) -> Imported:
    """Bring the run of a file, with the children that are in it, into the engine's store.

    `as_new`: under new ids. `unchecked`: also if its log decides here something else. `limit`: bytes that the file may
    unpack to. Nothing is written before all is checked; what cannot be written whole is taken back.

    Raises `BadRunFile` (`run_file.*`), `RunExists`, `DecidesOtherwise`, `StoreError`, `OSError`.
    """
    with RunFileReader.open(path, limit=limit) as file:
        contents = await asyncio.to_thread(_read, file)
        done = Imported(status=contents.runs[0].row.status, notes=list(contents.manifest.notes))
        blobs = _FileBlobs(file)
        await _check_logs(contents, blobs, engine.registry, done, unchecked=unchecked)
        names = {run.row.id: new_run_id() if as_new else run.row.id for run in contents.runs}
        for run_id in names.values():
            await _require_new(engine.store, run_id)
        done.graphs = await _put_graphs(engine.store, contents)
        carrier = Carrier(engine.store)
        try:
            for run in contents.runs:
                await _create(engine, run, names, carrier, blobs, actor)
                done.runs.append(names[run.row.id])
        except BaseException:
            for run_id in reversed(done.runs):
                with suppress(PyAgentError):
                    await engine.store.delete_run(run_id)
            raise
        finally:
            await carrier.remove()
    return done


# -- reading ----------------------------------------------------------------------------------------------------------


def _read(file: RunFileReader) -> _Contents:
    manifest = _fitting(_Manifest, file.read_json("manifest.json"), "manifest.json")
    if manifest.format != FORMAT or manifest.runs[0] != manifest.run or len(set(manifest.runs)) != len(manifest.runs):
        raise BadRunFile("manifest.json in the file of the run contradicts itself")
    graphs: dict[str, tuple[str, str]] = {}
    for part in manifest.graphs:
        graphs[part.hash] = (part.id, _graph_text(part, file.read(f"graphs/{part.hash}.yaml")))
    runs = [_read_run(file, run_id, graphs) for run_id in manifest.runs]
    file.check_blobs()
    return _Contents(manifest=manifest, graphs=graphs, runs=runs)


def _fitting(model: type[M], value: object, name: str) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BadRunFile(f"{name} in the file of the run does not fit: {place}: {first['msg']}") from error


def _graph_text(part: _GraphPart, content: bytes) -> str:
    """The graph's text. Raises `BadRunFile` unless it is what its hash says: runs here may be pinned to that hash."""
    try:
        text = content.decode()
        spec = load_text(text).spec
    except (PyAgentError, UnicodeDecodeError) as error:
        raise BadRunFile(f"the graph {part.hash[:12]} in the file of the run is none: {error}") from error
    if spec.id != part.id or part.hash not in (spec.hash(), pinned_version(spec)):
        raise BadRunFile(f"the graph {part.id} in the file of the run is not what its hash says")
    return text


def _read_run(file: RunFileReader, run_id: str, graphs: dict[str, tuple[str, str]]) -> _ReadRun:
    place = f"runs/{run_id}"
    row = _fitting(_Row, file.read_json(f"{place}/run.json"), f"{place}/run.json")
    if row.id != run_id or row.graph_hash not in graphs or graphs[row.graph_hash][0] != row.graph_id:
        raise BadRunFile(f"{place}/run.json in the file of the run is of another run or graph")
    if missing := set(row.blobs) - file.blobs.keys():
        raise BadRunFile(f"the payload {min(missing)[:12]}… is not in the file of the run")
    log: list[LogRecord] = []
    for seq, line in enumerate(file.read_lines(f"{place}/log.jsonl"), 1):
        entry = _fitting(_EntryLine, line, f"{place}/log.jsonl, line {seq}")
        if entry.kind not in _KINDS:
            raise BadRunFile(f"{place}/log.jsonl, line {seq}: there is no entry {entry.kind[:40]!r}")
        log.append(LogRecord(seq=seq, kind=entry.kind, step=entry.step, body=_encoded(entry.body, place)))
    events = [
        NewEvent(kind=found.kind, step=found.step, at=found.at, data=found.data)
        for found in _lines(file, f"{place}/events.jsonl", _EventLine)
    ]
    steps = [_step(found, row.blobs) for found in _lines(file, f"{place}/steps.jsonl", _StepLine)]
    decided = f"{place}/decisions.jsonl"
    return _ReadRun(
        row=row,
        log=log,
        events=events,
        steps=steps,
        decisions=file.read_lines(decided) if file.has(decided) else None,
    )


def _lines(file: RunFileReader, name: str, model: type[M]) -> list[M]:
    return [_fitting(model, line, f"{name}, line {number}") for number, line in enumerate(file.read_lines(name), 1)]


def _encoded(value: object, place: str) -> bytes:
    try:
        return encode(value)
    except TypeError as error:
        raise BadRunFile(f"{place} in the file of the run holds what cannot be kept: {error}") from error


def _step(found: _StepLine, blobs: Sequence[str]) -> StepRecord:
    lineage = found.lineage
    kept = set(blobs)
    return StepRecord(
        step=found.step,
        node=found.node,
        scope=found.scope,
        status="cancelled" if found.status in _OPEN else found.status,
        attempt=found.attempt,
        started_at=found.started_at,
        ended_at=found.ended_at,
        items_in=found.items_in,
        items_out=found.items_out,
        error=found.error,
        wait=found.wait,
        lineage=None
        if lineage is None
        else StepLineage(
            used=lineage.used,
            read={digest: name for digest, name in lineage.read.items() if digest in kept},
            produced={digest: name for digest, name in lineage.produced.items() if digest in kept},
            outcome=lineage.outcome,
        ),
    )


# -- checking ---------------------------------------------------------------------------------------------------------


async def _check_logs(
    contents: _Contents, blobs: _FileBlobs, registry: Registry, done: Imported, *, unchecked: bool
) -> None:
    """Replay each log. Raises `BadRunFile`, `DecidesOtherwise`."""
    done.replayed = True
    for run in contents.runs:
        entries = await _entries(run, blobs)
        texts = {hash: text for hash, (_, text) in contents.graphs.items()}
        try:
            state = state_of(run.row.graph_hash, texts, registry)
        except PyAgentError as error:
            done.replayed = False
            done.notes.append(f"The log of run {run.row.id} was not replayed here: {error}")
            continue
        try:
            await asyncio.to_thread(_replay, run, state, entries)
        except DecidesOtherwise as error:
            if not unchecked:
                raise
            done.replayed = False
            done.notes.append(str(error.message))


async def _entries(run: _ReadRun, blobs: _FileBlobs) -> list[Entry]:
    blobs.log = run.log
    try:
        return await read_entries(cast(Store, blobs), run.row.id)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise BadRunFile(f"the log of run {run.row.id} in the file is none: {error!r}") from error


def _replay(run: _ReadRun, state: RunState, entries: Sequence[Entry]) -> None:
    wanted = run.decisions
    number = 0
    try:
        for number, found in enumerate(decisions(state, entries), 1):
            if wanted is not None and (number > len(wanted) or wanted[number - 1] != found):
                raise _otherwise(run, number, f"there {wanted[number - 1 : number]}, here {[found]}")
    except DecidesOtherwise:
        raise
    except (PyAgentError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _otherwise(run, number + 1, f"here it cannot be applied: {error!r}") from error
    if wanted is not None and len(wanted) != len(entries):
        raise _otherwise(run, len(entries), "there more entries followed")


def _otherwise(run: _ReadRun, number: int, what: str) -> DecidesOtherwise:
    return DecidesOtherwise(
        f"entry {number} of the log of run {run.row.id} decides otherwise: {what[:500]}",
        details={"run": run.row.id, "entry": number},
    )


async def _require_new(store: Store, run_id: str) -> None:
    with suppress(NotFound):
        if (await store.get_run(run_id)).id == run_id:
            raise RunExists(f"there is a run {run_id} already", details={"run": run_id})


# -- writing ----------------------------------------------------------------------------------------------------------


async def _put_graphs(store: Store, contents: _Contents) -> int:
    """Keep the versions that are not kept; the newest version of a graph that is here stays the newest."""
    new = 0
    for hash, (graph_id, text) in contents.graphs.items():
        with suppress(NotFound):
            await store.get_graph(hash)
            continue
        newest = next(iter(await store.graph_versions(graph_id, 1)), None)
        await store.put_graph(graph_id, hash, text)
        if newest is not None:
            await store.put_graph(graph_id, newest.hash, newest.text)
        new += 1
    return new


async def _create(
    engine: Engine, run: _ReadRun, names: dict[str, str], carrier: Carrier, source: _FileBlobs, actor: str
) -> None:
    row, store = run.row, engine.store
    run_id = names[row.id]
    blobs, refers = await carrier.bring(source, row.blobs)
    status: RunStatus = row.status if row.status in ENDED else "cancelled"
    error = row.error
    if status != row.status:
        found = ImportedRun(
            f"it was {row.status} when it was exported, and is not executed here", details={"status": row.status}
        )
        error = found.as_dict()
    told = event("run.imported", status=row.status, actor=actor)
    created = await store.create_run(
        NewRun(
            id=run_id,
            graph_id=row.graph_id,
            graph_hash=row.graph_hash,
            trigger=row.trigger,
            inputs=_encoded(row.inputs, row.id),
            production=row.production,
            parent_run=names.get(row.parent_run or "", row.parent_run),
            parent_step=row.parent_step,
            forked_from=names.get(row.forked_from or "", row.forked_from),
            owner=engine.owner,
            actor=row.actor,
            semantics=row.semantics,
            labels={**row.labels, LABEL: run_id, "imported_from": row.id, "imported_status": row.status},
        ),
        first=Commit(
            entries=run.log,
            events=[*run.events, told],
            steps=run.steps,
            blobs=blobs,
            refers=refers,
            status=status,
            outputs=None if row.outputs is None else _encoded(row.outputs, row.id),
            error=error,
        ),
    )
    await store.restore(
        replace(
            created,
            created_at=row.created_at,
            started_at=row.started_at,
            ended_at=row.ended_at or row.updated_at,
            updated_at=row.updated_at,
            key=row.key,
        )
    )


class _FileBlobs:
    """A file's payloads and one log of it, as readers of stores want them."""

    def __init__(self, file: RunFileReader) -> None:
        self._file = file
        self._last: tuple[str, bytes] = ("", b"")
        self.log: list[LogRecord] = []

    async def read_log(self, run_id: str, after: int = 0) -> list[LogRecord]:
        return self.log[after:]

    def blob_now(self, digest: str) -> bytes:
        if self._last[0] != digest:
            self._last = (digest, self._file.blob(digest))
        return self._last[1]

    async def get_blob(self, digest: str) -> bytes:
        return self.blob_now(digest)

    async def blob_size(self, digest: str) -> int:
        return self._file.blobs[digest]

    async def read_blob(self, digest: str, start: int, end: int) -> bytes:
        return self.blob_now(digest)[start:end]


__all__ = ["DecidesOtherwise", "Imported", "RunExists", "import_run"]
