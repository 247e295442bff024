"""LangGraph's checkpointer over PyAgent's store: any StateGraph can use it, PyAgent's or anybody's.

async with langgraph_saver("sqlite:///var/lib/app/app.db") as saver:
    graph = builder.compile(checkpointer=saver)
    await graph.ainvoke(inputs, {"configurable": {"thread_id": "1"}})
"""

from __future__ import annotations

import random
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    PendingWrite,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from pyagent.errors import StoreError
from pyagent.store import channel_values, codec
from pyagent.store.channel_values import ChannelValues
from pyagent.store.checkpoint_rows import CheckpointDatabase, CheckpointKey, CheckpointRow, CheckpointRows, WriteRow
from pyagent.store.location import open_checkpoints
from pyagent.store.typed import TypedSerializer

_chance = random.Random()  # noqa: S311
"""Apart from the module's, so that a program that seeds that one does not get the same versions in two branches."""


@asynccontextmanager
async def langgraph_saver(
    url: str | None = None, *, serde: SerializerProtocol | None = None
) -> AsyncGenerator[StoreSaver]:
    """A checkpointer on a store of its own: a path, `sqlite:///path` or `neo4j://…`; None as in `open_store`."""
    async with open_checkpoints(url) as database:
        yield StoreSaver(database, serde=serde)


class StoreSaver(BaseCheckpointSaver[str]):
    """LangGraph's checkpointer in PyAgent's store.

    A channel's value is kept once for each of its versions. Synchronous methods may be called from any thread; they
    block while other processes write. Values keep their types, without pickle, and what would not is refused by its
    name when it is written (`pyagent.store.typed`), unless `serde` says otherwise.
    """

    def __init__(self, database: CheckpointDatabase, *, serde: SerializerProtocol | None = None) -> None:
        """`database`: an open one; a store's `langgraph_saver()` gives its own."""
        super().__init__(serde=serde or TypedSerializer())
        self._database = database
        self._channels = ChannelValues()

    # reading

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that the config names, or the thread's latest."""
        return self._database.read_now(self._find(config))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As `get_tuple`."""
        return await self._database.read(self._find(config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Checkpoints, newest first; `filter` compares entries of their metadata."""
        left = limit
        for key in self._database.read_now(_keys(config, before, None if filter else limit)):
            if left is not None and left <= 0:
                return
            found = self._database.read_now(self._load(key, filter))
            if found is not None:
                left = None if left is None else left - 1
                yield found

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As `list`."""
        left = limit
        for key in await self._database.read(_keys(config, before, None if filter else limit)):
            if left is not None and left <= 0:
                return
            found = await self._database.read(self._load(key, filter))
            if found is not None:
                left = None if left is None else left - 1
                yield found

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """For each channel the writes since the nearest ancestor that has a value of it, and that value."""
        return self._database.read_now(self._history(config, channels)) if channels else {}

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """As `get_delta_channel_history`."""
        return await self._database.read(self._history(config, channels)) if channels else {}

    # writing

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint; of its channels' values only those that `new_versions` names."""
        row, change = self._put(config, checkpoint, metadata, new_versions)
        self._database.write_now(change)
        return _config_of(row.key)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As `put`."""
        row, change = self._put(config, checkpoint, metadata, new_versions)
        await self._database.write(change)
        return _config_of(row.key)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep what a task wrote on top of a checkpoint."""
        self._database.write_now(self._put_writes(config, writes, task_id, task_path))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """As `put_writes`."""
        await self._database.write(self._put_writes(config, writes, task_id, task_path))

    def get_next_version(self, current: str | None, channel: None) -> str:
        """A version after `current`: a number that grows, and a random part that tells branches apart."""
        number = 0 if current is None else int(str(current).partition(".")[0], 16)
        return f"{number + 1:08x}.{_chance.getrandbits(40):010x}"

    # deleting and copying

    def delete_thread(self, thread_id: str) -> None:
        """Delete all checkpoints and writes of a thread."""
        self._database.write_now(lambda to: to.delete_thread(str(thread_id)))

    async def adelete_thread(self, thread_id: str) -> None:
        """As `delete_thread`."""
        await self._database.write(lambda to: to.delete_thread(str(thread_id)))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints whose metadata has one of these `run_id`s, and their writes."""
        self._database.write_now(self._delete_for_runs(run_ids))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """As `delete_for_runs`."""
        await self._database.write(self._delete_for_runs(run_ids))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy all checkpoints and writes of a thread to another, parents and all."""
        self._database.write_now(_copy(source_thread_id, target_thread_id))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """As `copy_thread`."""
        await self._database.write(_copy(source_thread_id, target_thread_id))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete a thread's checkpoints: `delete` all, `keep_latest` all but the latest of each namespace.

        Ancestors of a kept one also stay as far back as its delta channels need them. Raises `ValueError` for another
        strategy.
        """
        self._database.write_now(self._prune(thread_ids, strategy))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """As `prune`."""
        await self._database.write(self._prune(thread_ids, strategy))

    # what both kinds of methods do

    def _find(self, config: RunnableConfig) -> Callable[[CheckpointRows], CheckpointTuple | None]:
        thread, namespace = _place(config)
        identity = get_checkpoint_id(config)

        def find(of: CheckpointRows) -> CheckpointTuple | None:
            row = of.get(thread, namespace, identity)
            return None if row is None else self._tuple(of, row, self._unpack(row.metadata))

        return find

    def _load(
        self, key: CheckpointKey, filter: Mapping[str, Any] | None
    ) -> Callable[[CheckpointRows], CheckpointTuple | None]:
        def load(of: CheckpointRows) -> CheckpointTuple | None:
            row = of.get(*key)
            if row is None:  # deleted since the keys were read
                return None
            metadata = self._unpack(row.metadata)
            if filter and any(metadata.get(name) != value for name, value in filter.items()):
                return None
            return self._tuple(of, row, metadata)

        return load

    def _tuple(self, of: CheckpointRows, row: CheckpointRow, metadata: Any) -> CheckpointTuple:
        checkpoint = self._unpack(row.checkpoint)
        _check_known(checkpoint, row.key)
        checkpoint["channel_values"] = self._values(of, row.key, checkpoint["channel_versions"])
        return CheckpointTuple(
            config=_config_of(row.key),
            checkpoint=checkpoint,
            metadata=metadata,
            parent_config=None if row.parent is None else _config_of(row.key._replace(id=row.parent)),
            pending_writes=[(write.task, write.channel, self._unpack(write.value)) for write in of.writes(row.key)],
        )

    def _put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> tuple[CheckpointRow, Callable[[CheckpointRows], None]]:
        thread, namespace = _place(config)
        described = cast("dict[str, Any]", get_serializable_checkpoint_metadata(config, metadata))
        bare = {name: value for name, value in checkpoint.items() if name != "channel_values"}
        row = CheckpointRow(
            key=CheckpointKey(thread, namespace, checkpoint["id"]),
            parent=get_checkpoint_id(config),
            checkpoint=self._pack(bare),
            metadata=self._pack(described),
        )
        run = described.get("run_id")
        channels = checkpoint["channel_values"]
        # A channel that has a new version but no value was emptied: no row says so.
        values = [
            self._channels.prepare(
                thread, namespace, channel, str(version), channel_values.flat(self.serde, channels[channel])
            )
            for channel, version in new_versions.items()
            if channel in channels
        ]

        def put(to: CheckpointRows) -> None:
            to.put(row, None if run is None else str(run), self._channels.rows(to, row.key, values))

        return row, put

    def _put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task: str, path: str
    ) -> Callable[[CheckpointRows], None]:
        thread, namespace = _place(config)
        key = CheckpointKey(thread, namespace, str(get_checkpoint_id(config)))
        packed = [
            WriteRow(task, WRITES_IDX_MAP.get(channel, position), path, channel, self._pack(value))
            for position, (channel, value) in enumerate(writes)
        ]
        return lambda to: to.put_writes(key, packed)

    def _delete_for_runs(self, run_ids: Sequence[str]) -> Callable[[CheckpointRows], None]:
        runs = [str(run_id) for run_id in run_ids]
        return lambda to: to.delete(to.runs_keys(runs), self._versions)

    def _prune(self, thread_ids: Sequence[str], strategy: str) -> Callable[[CheckpointRows], None]:
        if strategy not in ("keep_latest", "delete"):
            raise ValueError(f"unknown strategy {strategy!r}: use 'keep_latest' or 'delete'")

        def prune(to: CheckpointRows) -> None:
            for thread in map(str, thread_ids):
                if strategy == "delete":
                    to.delete_thread(thread)
                    continue
                found = to.keys(thread, None, None, None, None)
                kept: set[CheckpointKey] = set()
                for namespace in {key.namespace for key in found}:
                    kept |= self._needed(to, next(key for key in found if key.namespace == namespace))
                to.delete([key for key in found if key not in kept], self._versions)

        return prune

    def _needed(self, of: CheckpointRows, key: CheckpointKey) -> set[CheckpointKey]:
        """The checkpoint and the ancestors that its delta channels are rebuilt from."""
        row = of.get(*key)
        counters = self._unpack(row.metadata).get("counters_since_delta_snapshot") if row is not None else None
        open_channels: set[str] = set(counters or ())
        needed: set[CheckpointKey] = set()
        while row is not None and row.key not in needed:
            needed.add(row.key)
            versions = self._versions(row.checkpoint)
            wanted = {channel: versions[channel] for channel in open_channels if channel in versions}
            open_channels -= {value.channel for value in of.values(row.key, wanted)}
            if not open_channels or row.parent is None:
                break
            row = of.get(key.thread, key.namespace, row.parent)
        return needed

    def _history(
        self, config: RunnableConfig, channels: Sequence[str]
    ) -> Callable[[CheckpointRows], dict[str, DeltaChannelHistory]]:
        thread, namespace = _place(config)
        identity = get_checkpoint_id(config)

        def history(of: CheckpointRows) -> dict[str, DeltaChannelHistory]:
            collected: dict[str, list[PendingWrite]] = {channel: [] for channel in channels}  # newest first
            seeds: dict[str, Any] = {}
            walked: set[str] = set()
            row = of.get(thread, namespace, identity)
            while row is not None and row.parent is not None and len(seeds) < len(collected):
                if row.parent in walked:  # a checkpoint put again under its own descendant
                    break
                walked.add(row.parent)
                row = of.get(thread, namespace, row.parent)
                if row is None:
                    break
                unseeded = collected.keys() - seeds.keys()
                for write in reversed(of.writes(row.key)):
                    if write.channel in unseeded:
                        collected[write.channel].append((write.task, write.channel, self._unpack(write.value)))
                versions = self._versions(row.checkpoint)
                wanted = {channel: versions[channel] for channel in unseeded if channel in versions}
                seeds.update(self._values(of, row.key, wanted))
            found: dict[str, DeltaChannelHistory] = {}
            for channel, newest_first in collected.items():
                found[channel] = {"writes": newest_first[::-1]}
                if channel in seeds:
                    found[channel]["seed"] = seeds[channel]
            return found

        return history

    def _versions(self, checkpoint: bytes) -> Mapping[str, object]:
        return self._unpack(checkpoint)["channel_versions"]

    def _pack(self, value: object) -> bytes:
        return codec.encode(channel_values.flat(self.serde, value))

    def _unpack(self, stored: bytes) -> Any:
        return channel_values.value_of(self.serde, codec.decode(stored))

    def _values(self, of: CheckpointRows, key: CheckpointKey, versions: Mapping[str, object]) -> dict[str, Any]:
        found = channel_values.contents(of, key, versions)
        return {channel: channel_values.value_of(self.serde, content) for channel, content in found.items()}


def _check_known(checkpoint: Mapping[str, Any], key: CheckpointKey) -> None:
    """Raise `StoreError` (`store.checkpoint_newer`) for what a newer LangGraph has written.

    LangGraph itself would go on with it as if it were one of its own. Where its engine is not loaded, nobody does.
    """
    known = getattr(sys.modules.get("langgraph.pregel._checkpoint"), "LATEST_VERSION", None)
    if known is not None and checkpoint.get("v", 0) > known:
        raise StoreError(
            f"the checkpoint {key.id} of the thread {key.thread} is of version {checkpoint['v']};"
            f" the LangGraph that is installed knows up to {known}",
            code="store.checkpoint_newer",
            hint="A newer LangGraph has written it: upgrade this one.",
            details={"version": checkpoint["v"], "known": known},
        )


def _place(config: RunnableConfig) -> tuple[str, str]:
    configurable = config.get("configurable", {})
    return str(configurable["thread_id"]), configurable.get("checkpoint_ns", "")


def _config_of(key: CheckpointKey) -> RunnableConfig:
    return {"configurable": {"thread_id": key.thread, "checkpoint_ns": key.namespace, "checkpoint_id": key.id}}


def _keys(
    config: RunnableConfig | None, before: RunnableConfig | None, limit: int | None
) -> Callable[[CheckpointRows], list[CheckpointKey]]:
    configurable = config.get("configurable", {}) if config else {}
    thread = configurable.get("thread_id")
    namespace = configurable.get("checkpoint_ns")
    identity = configurable.get("checkpoint_id")
    end = get_checkpoint_id(before) if before else None
    return lambda of: of.keys(None if thread is None else str(thread), namespace, identity, end, limit)


def _copy(source: str, target: str) -> Callable[[CheckpointRows], None]:
    return lambda to: to.copy_thread(str(source), str(target))
