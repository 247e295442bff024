"""Writes one run into one file (`runtime.run_file`), without what must not leave this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pyagent.errors import GraphError, NotFound, PyAgentError
from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import dump, load_text
from pyagent.native import blake3_hex
from pyagent.runtime.credentials import short_in_environment
from pyagent.runtime.journal import encoded_entry, read_entries
from pyagent.runtime.log import Entry, decode, encode
from pyagent.runtime.redact import MASK
from pyagent.runtime.run_cleaning import Cleaner, forms_of, shape_of
from pyagent.runtime.run_decisions import Decided, decisions, state_of
from pyagent.runtime.run_file import FORMAT, RunFileWriter, remove
from pyagent.runtime.run_secrets import (
    credentials_of,
    secrets_here,
    unknown_credentials,
    values_of_secret_inputs,
    without_secret_inputs,
)
from pyagent.runtime.store_copy import lineage_of
from pyagent.runtime.store_runs import all_runs, every_event
from pyagent.sdk.credentials import SHORTEST
from pyagent.sdk.items import BlobRef, Item, Items
from pyagent.store.base import Event, Run, StepRecord

if TYPE_CHECKING:
    from pyagent.runtime.engine import Engine


@dataclass(kw_only=True)
class Exported:
    """What an export came to."""

    path: Path
    runs: list[str] = field(default_factory=list[str])
    """The run, and with its children those."""
    bytes: int = 0
    """Of the file."""
    masked: int = 0
    """Values in which a secret was masked."""
    left_out: list[str] = field(default_factory=list[str])
    """Payloads that the run speaks of and the store has no more."""
    notes: list[str] = field(default_factory=list[str])
    """What whoever sends the file, or gets it, should know, a sentence each."""


@dataclass(kw_only=True)
class _Graph:
    """A version of a graph, as it is kept and as it is exported."""

    graph_id: str
    hash: str
    spec: GraphSpec
    kept: str
    """The text that the store keeps."""
    text: str
    new_hash: str = ""


async def export_run(
    engine: Engine,
    run_id: str,
    path: Path,
    *,
    with_children: bool = False,
    without_data: bool = False,
    secrets: Iterable[str] = (),
) -> Exported:
    """Write the run to `path`, which must not be there. `secrets`: more values to take out, beside all that are known.

    A run may be exported while it is at work: the file holds it as it stands. Values of credentials are those of this
    process: export where the run was executed. Raises `NotFound`, `StoreError`, `OSError`.
    """
    run = await engine.store.get_run(run_id)
    runs = [run, *(await _children(engine, run.id) if with_children else ())]
    export = _Export(engine, path, runs, without_data=without_data)
    try:
        return await export.write(secrets)
    except BaseException:
        export.writer.close()
        remove(path)
        raise


async def _children(engine: Engine, run_id: str) -> list[Run]:
    """The runs that a run has begun, those that these have begun, and so on, oldest first."""
    by_parent: dict[str, list[Run]] = {}
    async for run in all_runs(engine.store):
        if run.parent_run is not None:
            by_parent.setdefault(run.parent_run, []).append(run)
    found: list[Run] = []
    open_ = [run_id]
    while open_:
        for child in reversed(by_parent.pop(open_.pop(0), [])):
            found.append(child)
            open_.append(child.id)
    return found


class _Export:
    def __init__(self, engine: Engine, path: Path, runs: Sequence[Run], *, without_data: bool) -> None:
        self._engine = engine
        self._store = engine.store
        self._runs = runs
        self._without_data = without_data
        self._entries: dict[str, list[Entry]] = {}
        self._graphs: dict[str, _Graph] = {}
        self._short_inputs = False
        self.done = Exported(path=path, runs=[run.id for run in runs])
        with path.open("xb"):
            self.writer = RunFileWriter(path)

    async def write(self, secrets: Iterable[str]) -> Exported:
        known = [*secrets, *await asyncio.to_thread(secrets_here)]
        for run in self._runs:
            self._entries[run.id] = await read_entries(self._store, run.id)
            await self._read_graphs(run)
            specs = {hash: graph.spec for hash, graph in self._graphs.items()}
            given = values_of_secret_inputs(specs, run.graph_hash, _object(run.inputs), self._entries[run.id])
            self._short_inputs |= any(0 < len(value.strip()) < SHORTEST for value in given)
            known += given
        cleaner = Cleaner(forms_of(known), without_data=self._without_data)
        for graph in self._graphs.values():
            _clean_graph(graph, cleaner)
            self.writer.write(f"graphs/{graph.new_hash}.yaml", graph.text.encode("utf-8", "surrogatepass"))
        for run in self._runs:
            await self._write_run(run, cleaner)
        self._write_manifest(cleaner)
        self.writer.seal()
        self.done.masked = cleaner.masked
        self.done.bytes = self.done.path.stat().st_size
        return self.done

    async def _read_graphs(self, run: Run) -> None:
        """The versions that a run is pinned to: its own and those of the graphs that it calls."""
        wanted = {run.graph_hash: None}
        for entry in self._entries[run.id]:
            if entry.kind == "run.started":
                wanted |= dict.fromkeys(entry.data.get("graphs", {}).values())
            elif entry.called_graph:
                wanted[entry.called_graph] = None
        for hash in wanted:
            if hash not in self._graphs:
                version = await self._store.get_graph(hash)
                self._graphs[hash] = _Graph(
                    graph_id=version.graph_id,
                    hash=hash,
                    spec=load_text(version.text).spec,
                    kept=version.text,
                    text=version.text,
                )

    async def _write_run(self, run: Run, cleaner: Cleaner) -> None:
        entries = self._entries[run.id]
        steps = await self._store.steps(run.id)
        events = await every_event(self._store, run.id)
        blobs = await self._write_blobs(run, entries, events, cleaner)
        cleaned = [self._cleaned_entry(run, entry, cleaner) for entry in entries]
        bodies: list[bytes] = []
        for entry in cleaned:
            made: dict[str, bytes] = {}
            bodies.append(encoded_entry(entry, made))
            blobs |= {self.writer.write_blob(content) for content in made.values()}
        records = [self._cleaned_step(record, cleaner) for record in steps]
        found = self._replayed(run, entries, cleaned, cleaner)
        if found is not None:
            with suppress(PyAgentError):
                state = self._state(run)
                records = lineage_of(state, cleaned, bodies, records)
        place = f"runs/{run.id}"
        self.writer.write_json(f"{place}/run.json", self._row(run, cleaner) | {"blobs": sorted(blobs)})
        self.writer.write_lines(
            f"{place}/log.jsonl",
            [
                {"kind": entry.kind, "step": str(entry.step) if entry.step else "", "body": decode(body)}
                for entry, body in zip(cleaned, bodies, strict=True)
            ],
        )
        self.writer.write_lines(
            f"{place}/events.jsonl",
            [
                {
                    "kind": event.kind,
                    "step": event.step,
                    "at": event.at.isoformat(),
                    "data": cleaner.data(event.data, event.kind),
                }
                for event in events
            ],
        )
        self.writer.write_lines(f"{place}/steps.jsonl", [step_as_json(record) for record in records])
        if found is not None:
            self.writer.write_lines(f"{place}/decisions.jsonl", found)

    def _replayed(
        self, run: Run, entries: Sequence[Entry], cleaned: Sequence[Entry], cleaner: Cleaner
    ) -> list[Decided] | None:
        """What the log decides, as it is exported; None, and a note, if that cannot be told."""
        try:
            before = list(decisions(self._state(run, exported=False), entries))
            after = list(decisions(self._state(run), cleaned))
        except PyAgentError as error:
            said = error.code if self._without_data else cleaner.redacted(str(error))
            self.done.notes.append(f"The log of run {run.id} could not be replayed here: {said}")
            return None
        if before != after:
            self.done.notes.append(f"Without what was taken out, the log of run {run.id} decides otherwise.")
        return after

    def _state(self, run: Run, *, exported: bool = True) -> Any:
        """The run's state before its first entry, with the graphs as they are exported or as they are kept."""
        if not exported:
            texts = {hash: graph.kept for hash, graph in self._graphs.items()}
            return state_of(run.graph_hash, texts, self._engine.registry)
        texts = {graph.new_hash: graph.text for graph in self._graphs.values()}
        return state_of(self._graphs[run.graph_hash].new_hash, texts, self._engine.registry)

    def _cleaned_entry(self, run: Run, entry: Entry, cleaner: Cleaner) -> Entry:
        data = entry.data
        outputs = entry.outputs
        if entry.kind == "run.started":
            spec = self._graphs[run.graph_hash].spec
            data = {**data, "inputs": without_secret_inputs(spec, data.get("inputs", {}), MASK)}
        elif entry.called_graph and "inputs" in data:
            spec = self._graphs[entry.called_graph].spec
            data = {**data, "inputs": without_secret_inputs(spec, data["inputs"], MASK)}
        if outputs is not None:
            outputs = {
                port: Items.of(Item.from_dict(cleaner.item(item.as_dict())) for item in items)
                for port, items in outputs.items()
            }
        return Entry(entry.kind, entry.step, cleaner.data(data, entry.kind), outputs)

    def _cleaned_step(self, record: StepRecord, cleaner: Cleaner) -> StepRecord:
        return replace(
            record,
            error=None if record.error is None else cleaner.data(record.error),
            wait=None if record.wait is None else cleaner.data(record.wait),
        )

    async def _write_blobs(
        self, run: Run, entries: Sequence[Entry], events: Sequence[Event], cleaner: Cleaner
    ) -> set[str]:
        """Write the payloads that items, inputs and events speak of, and return their digests; those that hold items
        are made anew from the entries."""
        found: set[str] = set()
        refs = {ref.digest: ref for ref in _refs(entries)}
        kept = await self._store.blobs_of(run.id)
        told = json.dumps([_object(run.inputs), [dict(event.data) for event in events]], default=str)
        told += json.dumps([entry.data for entry in entries], default=str) + (run.outputs or b"").decode()
        for digest in kept:
            if digest not in refs and digest in told:
                refs[digest] = BlobRef(digest, kept[digest])
        for digest, ref in sorted(refs.items()):
            if (known := cleaner.renamed.get(digest, digest)) in cleaner.sizes:
                found.add(known)
                continue
            try:
                content = cleaner.content(await self._store.get_blob(digest), ref.media_type)
            except NotFound:
                self.done.left_out.append(digest)
                content = b"The store had this payload no more when the run was exported.\n"
            new = self.writer.write_blob(content)
            found.add(new)
            cleaner.sizes[new] = len(content)
            if new != digest:
                cleaner.renamed[digest] = new
        return found

    def _row(self, run: Run, cleaner: Cleaner) -> dict[str, Any]:
        spec = self._graphs[run.graph_hash].spec
        times = {
            name: None if value is None else value.isoformat()
            for name, value in (
                ("created_at", run.created_at),
                ("started_at", run.started_at),
                ("ended_at", run.ended_at),
                ("updated_at", run.updated_at),
                ("wake_at", run.wake_at),
            )
        }
        return {
            "id": run.id,
            "graph_id": run.graph_id,
            "graph_hash": self._graphs[run.graph_hash].new_hash,
            "trigger": run.trigger,
            "status": run.status,
            **times,
            "inputs": cleaner.whole(without_secret_inputs(spec, _object(run.inputs), MASK)),
            "outputs": None if run.outputs is None else cleaner.whole(decode(run.outputs)),
            "error": None if run.error is None else cleaner.data(run.error),
            "production": run.production,
            "key": cleaner.word(run.key),
            "parent_run": run.parent_run,
            "parent_step": run.parent_step,
            "forked_from": run.forked_from,
            "continues": run.continues,
            "continued_as": run.continued_as,
            "actor": cleaner.word(run.actor),
            "semantics": run.semantics,
            "labels": {name: cleaner.word(value) for name, value in run.labels.items()},
            "log_length": run.log_length,
            "adoptions": run.adoptions,
        }

    def _write_manifest(self, cleaner: Cleaner) -> None:
        from pyagent import __version__

        specs = [graph.spec for graph in self._graphs.values()]
        if missing := unknown_credentials(specs):
            self.done.notes.append(
                f"The credentials {', '.join(missing)} are not set here: their values could not be recognized."
            )
        names = {name.lower() for name in credentials_of(specs)}
        if short := [field for field in short_in_environment() if field.partition(".")[0] in names]:
            self.done.notes.append(
                f"The environment's {', '.join(short)} has fewer than {SHORTEST} characters: where the run says it, it "
                "is still there. Use a longer one."
            )
        if self._short_inputs:
            self.done.notes.append(
                f"A secret input has fewer than {SHORTEST} characters: it is taken out of the inputs, not of items."
            )
        if cleaner.renamed.keys() & self._graphs.keys():
            self.done.notes.append("A graph held a secret or pins, and is another version without them.")
        self.writer.write_json(
            "manifest.json",
            {
                "format": FORMAT,
                "program": f"pyagent {__version__}",
                "run": self._runs[0].id,
                "runs": self.done.runs,
                "graphs": [
                    {"id": graph.graph_id, "hash": graph.new_hash}
                    for graph in sorted(self._graphs.values(), key=lambda graph: graph.new_hash)
                ],
                "data": "shapes" if self._without_data else "whole",
                "masked": cleaner.masked,
                "left_out": self.done.left_out,
                "notes": self.done.notes,
            },
        )


def _object(body: bytes) -> dict[str, Any]:
    found = decode(body)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _refs(entries: Iterable[Entry]) -> Iterable[BlobRef]:
    for entry in entries:
        for items in (entry.outputs or {}).values():
            for item in items:
                yield from (item.binary or {}).values()


def _clean_graph(graph: _Graph, cleaner: Cleaner) -> None:
    """Take secrets out of a graph's text, and pins where no data is wanted; a changed text is another version."""
    data = graph.spec.to_data()
    changed = cleaner.graph(data)
    by_pins = graph.hash == pinned_version(graph.spec)
    if cleaner.without_data and data.get("pins"):
        if by_pins:
            changed["pins"] = shape_of(data["pins"])
        else:
            del changed["pins"]
    if changed != data or cleaner.redacted(graph.text) != graph.text:
        try:
            graph.spec = GraphSpec.model_validate(changed)
        except ValueError as error:
            raise GraphError(
                f"the graph {graph.graph_id} cannot be exported: it does not hold together without its secrets",
                code="run_file.graph",
                hint="Put the secret into a credential, or into an input with `writeOnly: true`.",
            ) from error
        # Comments may hold secrets, too, and go.
        graph.text = dump(graph.spec)
    spec = load_text(graph.text).spec
    graph.new_hash = (pinned_version(spec) if by_pins else None) or spec.hash()
    if graph.new_hash != graph.hash:
        cleaner.renamed[graph.hash] = graph.new_hash


def pinned_version(spec: GraphSpec) -> str | None:
    """The version that test runs of a graph with pins are pinned to; None for a graph without."""
    pins = spec.to_data().get("pins", {})
    return blake3_hex(encode({"graph": spec.hash(), "pins": pins})) if pins else None


def step_as_json(record: StepRecord) -> dict[str, Any]:
    """A step as a line of the file."""
    lineage = record.lineage
    return {
        "step": record.step,
        "node": record.node,
        "scope": record.scope,
        "status": record.status,
        "attempt": record.attempt,
        "started_at": _time(record.started_at),
        "ended_at": _time(record.ended_at),
        "items_in": record.items_in,
        "items_out": dict(record.items_out),
        "error": record.error,
        "wait": record.wait,
        "lineage": None
        if lineage is None
        else {
            "used": list(lineage.used),
            "read": dict(lineage.read),
            "produced": dict(lineage.produced),
            "outcome": lineage.outcome,
        },
    }


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


__all__ = ["Exported", "export_run", "pinned_version", "step_as_json"]
