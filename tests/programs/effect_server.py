"""A process outside: appends each effect it is asked for to a file, and can be told to kill who asks.

One JSON object a line, each answered by one. `{"post": {"key", "step", "run"}, "pid"}` is an effect; it is on disk
before it is answered. `{"kill": n}`: instead of answering the next n effects, kill who asked, after (or, with
`"before": true`, before) the effect is on disk. Usage: `effect_server.py FILE`; it prints its port.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any


class EffectServer:
    """What the file has, and what is to happen to the next who ask."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("a", encoding="utf-8")
        self.kills = 0
        self.before = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Who asks may be killed at any time, and then the connection with it.
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                answer = self.answer(json.loads(line))
                if answer is None:
                    break
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()

    def answer(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        if "kill" in asked:
            self.kills, self.before = asked["kill"], asked.get("before", False)
            return {"ok": True}
        killed = self.kills > 0
        self.kills -= killed
        if not (killed and self.before):
            self.file.write(json.dumps({**asked["post"], "killed": killed}) + "\n")
            self.file.flush()
            os.fsync(self.file.fileno())
        if killed:
            os.kill(asked["pid"], signal.SIGKILL)
            return None
        return {"ok": True}


async def main() -> None:
    server = EffectServer(Path(sys.argv[1]))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    print(listening.sockets[0].getsockname()[1], flush=True)
    async with listening:
        await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
