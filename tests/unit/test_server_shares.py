"""Links to runs: what one server revokes stays revoked, whatever another does at the same time."""

from __future__ import annotations

import fcntl
import os
import threading
from datetime import timedelta
from pathlib import Path

from pyagent.server.shares import Shares

DAY = timedelta(days=1)


def test_a_revoked_link_does_not_come_back_with_what_another_server_writes(tmp_path: Path) -> None:
    file = tmp_path / "shares.json"
    one, other = Shares(file), Shares(file)
    revoked = one.add("abcdef", expires_in=DAY, data=True, actor="local")
    holder = os.open(file.with_suffix(".lock"), os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_EX)
    # Both wait for whoever writes now, and each begins with what is there when it is its turn.
    writers = [
        threading.Thread(target=one.revoke, args=("abcdef", revoked.id)),
        threading.Thread(target=other.add, args=("ghijkl",), kwargs={"expires_in": DAY, "data": True, "actor": "x"}),
    ]
    for writer in writers:
        writer.start()
    assert other.get(revoked.id) == revoked
    os.close(holder)
    for writer in writers:
        writer.join()
    assert one.get(revoked.id) is None
    assert len(one.of_run("ghijkl")) == 1


def test_many_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "shares.json"

    def add() -> None:
        mine = Shares(file)
        for _ in range(10):
            mine.add("abcdef", expires_in=DAY, data=False, actor="x")

    writers = [threading.Thread(target=add) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(Shares(file).of_run("abcdef")) == 40
    assert {path.name for path in tmp_path.iterdir()} == {"shares.json", "shares.lock"}
