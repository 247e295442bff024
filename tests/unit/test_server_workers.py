"""Threads for large graphs: who asks much keeps nobody else waiting, and is refused at last."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pyagent.server.errors import Refused
from pyagent.server.workers import Workers


async def settled() -> None:
    """Let everything that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_asks_much_leaves_a_thread_to_others() -> None:
    workers, gate = Workers(threads=2), threading.Event()
    try:
        many = [asyncio.create_task(workers.run("many", gate.wait)) for _ in range(9)]
        await settled()
        assert await workers.run("other", lambda: "done") == "done"
        assert not any(task.done() for task in many)
    finally:
        gate.set()
    assert await asyncio.gather(*many) == [True] * 9


async def test_the_event_loops_own_threads_stay_free() -> None:
    workers, gate = Workers(threads=2), threading.Event()
    try:
        held = [asyncio.create_task(workers.run(f"asker {number}", gate.wait)) for number in range(50)]
        await settled()
        assert await asyncio.to_thread(lambda: "free") == "free"
    finally:
        gate.set()
    await asyncio.gather(*held)


async def test_too_many_that_wait_are_refused_and_told_when_to_come_again() -> None:
    workers, gate = Workers(threads=2, most_waiting=3), threading.Event()
    try:
        held = [asyncio.create_task(workers.run("many", gate.wait)) for _ in range(4)]
        await settled()
        with pytest.raises(Refused, match="too many") as caught:
            await workers.run("many", lambda: None)
        assert (caught.value.code, caught.value.details) == ("server.busy", {"retry_after": 2})
        assert await workers.run("other", lambda: 1) == 1
    finally:
        gate.set()
    await asyncio.gather(*held)
    assert await workers.run("many", lambda: 2) == 2


async def test_a_request_that_is_given_up_keeps_its_thread_until_the_work_ends_and_no_longer() -> None:
    workers, gate = Workers(threads=2), threading.Event()
    try:
        first = asyncio.create_task(workers.run("me", gate.wait))
        waits = asyncio.create_task(workers.run("me", lambda: "second"))
        gone = asyncio.create_task(workers.run("me", lambda: "third"))
        await settled()
        for task in (first, gone):
            task.cancel()
        await settled()
        assert not waits.done()
    finally:
        gate.set()
    assert await waits == "second"
    assert await workers.run("me", lambda: "fourth") == "fourth"


async def test_an_error_of_the_work_is_the_askers() -> None:
    workers = Workers()

    def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await workers.run("me", fails)
    assert await workers.run("me", lambda: 1) == 1
