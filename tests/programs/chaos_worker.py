"""Engines to be killed, each a process forked from this one, which has read all modules: the next is there at once.

Usage: `chaos_worker.py STORE LEASE_SECONDS LEDGER PACE`. For each line on its standard input it forks a worker that
drives the runs of the store, and prints its process id. What the workers' steps do outside goes into the file LEDGER,
a line each.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import sys
from datetime import timedelta
from functools import cache
from typing import Any

import pyagent.runtime.compile
import pyagent.store.neo4j.store
import pyagent.store.sqlite.store  # noqa: F401
from chaos.cases import make_case
from chaos.world import Effect, Worlds
from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.sdk import Context, Items, Registry


class FileWorlds(Worlds):
    """The world outside as a file that processes append to; a line is written whole or not at all."""

    def __init__(self, seed: int, ledger: int, pace: float) -> None:
        super().__init__(make_case(seed, calm=True, pace=pace))
        self.file = ledger

    def keep(self, effect: Effect) -> None:
        os.write(self.file, json.dumps(dataclasses.asdict(effect)).encode() + b"\n")


def registry(ledger: int, pace: float) -> Registry:
    """The node types of all cases."""

    @cache
    def of_case(seed: int) -> FileWorlds:
        return FileWorlds(seed, ledger, pace)

    class AnyWorlds(Worlds):
        async def act(self, items: Items, params: Any, ctx: Context) -> Any:
            return await of_case(params.seed).act(items, params, ctx)

    return AnyWorlds(make_case(0, calm=True)).registry()


async def work(store: str, lease: float, ledger: str, pace: float) -> None:
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    options: dict[str, Any] = {"registry": registry(file, pace), "library": GraphLibrary([])}
    async with Engine.open(store, lease=timedelta(seconds=lease), **options) as engine:
        await engine.work()


def main(store: str, lease: str, ledger: str, pace: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    for _ in sys.stdin:
        if (child := os.fork()) == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asyncio.run(work(store, float(lease), ledger, float(pace)))
            os._exit(0)
        print(child, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
