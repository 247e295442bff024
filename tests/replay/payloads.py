"""How `payloads.jsonl` was made: stored bytes of every version of the codec, and what is in them.

    cd tests && python -m replay.payloads >> replay/payloads.jsonl

Lines are only ever added: what any version wrote is read for ever. A new version of the envelope, a new dictionary or a
new kind of value adds its own.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

from pyagent import native
from pyagent.store import codec
from pyagent.store.blobs import CHUNK, BlobFiles

HERE = Path(__file__).parent
KEY = bytes(range(32))


def entry(number: int) -> str:
    """A log entry much as runs write it."""
    times = (
        f'"started_at":"2026-11-22T10:{number % 60:02}:00+00:00","ended_at":"2026-11-22T10:{number % 60:02}:01+00:00"'
    )
    data = f'{{"status":"completed","attempt":1,{times}}}'
    return f'{{"data":{data},"outputs":{{"out":[{{"json":{{"n":{number}}},"from":[[0,"in"]]}}]}}}}'


def content(many: int) -> bytes:
    """So many entries."""
    return "".join(map(entry, range(many))).encode()


def lines() -> list[dict[str, Any]]:
    """What today's version writes, and what the first release wrote."""
    import zstandard

    parent = content(300)
    old = zstandard.ZstdCompressor(level=3).compress(content(40))
    made = [
        ("first release: plain", b"\x00" + content(1), content(1), None, None),
        (
            "first release: zstd",
            b"\x01" + old,
            content(40),
            None,
            None,
        ),
        ("plain", codec.encode(b"{}"), b"{}", None, None),
        ("envelope 1: dictionary 1", codec.encode(content(2)), content(2), None, None),
        ("envelope 1: dictionary 1, checked", codec.encode(content(100)), content(100), None, None),
        ("envelope 1: zstd", codec.encode(content(1000)), content(1000), None, None),
        ("envelope 1: delta", codec.encode(content(310), parent=parent), content(310), parent, None),
        ("envelope 1: sealed, key named", native.codec_pack_with(content(1), None, KEY), content(1), None, KEY),
        (
            "envelope 1: sealed delta, key named",
            native.codec_pack_with(content(310), parent, KEY),
            content(310),
            parent,
            KEY,
        ),
    ]
    found: list[dict[str, Any]] = []
    for name, stored, payload, given, key in made:
        line = {"name": name, "stored": b64encode(stored).decode(), "digest": native.blake3_hex(payload)}
        line |= {"parent": b64encode(codec.encode(given)).decode()} if given is not None else {}
        found.append(line | ({"key": key.hex()} if key is not None else {}))
    with tempfile.TemporaryDirectory() as folder:
        files = BlobFiles(Path(folder))
        payload = content(3000) * 5
        assert len(payload) > 2 * CHUNK
        digest, _ = files.copy(io.BytesIO(payload))
        found.append(
            {"name": "file of chunks", "file": b64encode(files.path(digest).read_bytes()).decode(), "digest": digest}
        )
    return found


if __name__ == "__main__":
    for line in lines():
        sys.stdout.write(json.dumps(line) + "\n")
