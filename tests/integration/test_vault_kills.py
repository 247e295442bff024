"""A writer of the vault is killed at any moment: what it said is written is there, and the vault opens."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import pytest

from pyagent.native import Vault

pytestmark = pytest.mark.integration

WRITER = """
import sys
from pyagent.native import Vault

vault = Vault.open(sys.argv[1], None, sys.argv[2], sys.argv[4])
number = int(sys.argv[3])
while True:
    number += 1
    vault.put(f"secret-{number % 7}", "generic", {"token": f"value {number}"}, number)
    if number % 3 == 0:
        vault.rotate(number)
    print(number, flush=True)
"""


async def test_a_killed_writer_loses_nothing_that_it_has_said(tmp_path: Path) -> None:
    path, key, seen = str(tmp_path / "vault"), str(tmp_path / "vault.key"), str(tmp_path / "seen")
    Vault.create(path, None, key, seen, 1)
    chance, number = random.Random(7), 0
    for _ in range(12):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, path, key, str(number), seen, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        wanted = number + chance.randrange(1, 12)
        while number < wanted:
            number = int(await process.stdout.readline())
        # Somewhere inside of the next change.
        await asyncio.sleep(chance.random() * 0.02)
        process.kill()
        number = max([number, *(int(line) for line in (await process.stdout.read()).splitlines())])
        await process.wait()

        vault = Vault.open(path, None, key, seen)
        for written in range(max(1, number - 6), number + 1):
            value = vault.get(f"secret-{written % 7}")["token"]
            # The change that was cut short may stand as well.
            assert value in (f"value {written}", f"value {written + 7}"), written
        vault.put("after", "generic", {"token": "it goes on"}, number)
    Path(f"{key}.new").write_text("half a key")
    vault.put("after", "generic", {"token": "what was left behind goes"}, number)
    assert {file.name for file in tmp_path.iterdir()} <= {"vault", "vault.key", "vault.lock", "seen"}
