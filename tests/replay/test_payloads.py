"""What any version of the codec wrote is read for ever."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from pyagent import native
from pyagent.store import codec
from pyagent.store.blobs import BlobFiles
from pyagent.store.typed import TypedSerializer
from replay.payloads import HERE
from replay.typed import VALUES

DICTIONARIES = HERE.parents[1] / "rust_core" / "crates" / "codec" / "dictionaries"
FOREVER = {"1.zdict": "afcaf3c234519b568753f09fe1342feffb020472dff8931bd30778a58cf1a54f"}
"""The dictionaries' SHA-256: a changed one would make everything unreadable that was packed with it."""


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


PAYLOADS = [line for line in read("payloads.jsonl") if "stored" in line]
FILES = [line for line in read("payloads.jsonl") if "file" in line]
TYPED = read("typed.jsonl")


@pytest.mark.parametrize("line", PAYLOADS, ids=lambda line: line["name"])
def test_a_payload_of_every_version_is_read(line: dict[str, Any]) -> None:
    parent = codec.decode(b64decode(line["parent"])) if "parent" in line else None
    key = bytes.fromhex(line["key"]) if "key" in line else None
    stored = b64decode(line["stored"])
    found = native.codec_unpack_with(stored, codec.LARGEST, parent, key) if key else codec.decode(stored, parent=parent)
    assert native.blake3_hex(found) == line["digest"]


@pytest.mark.parametrize("line", FILES, ids=lambda line: line["name"])
def test_a_blob_file_of_every_version_is_read(line: dict[str, Any], tmp_path: Path) -> None:
    files = BlobFiles(tmp_path)
    path = files.path(line["digest"])
    path.parent.mkdir(parents=True)
    path.write_bytes(b64decode(line["file"]))
    files.read(line["digest"])


@pytest.mark.parametrize("line", TYPED, ids=lambda line: f"{line['version']}: {line['value']}")
def test_a_value_of_every_version_is_read(line: dict[str, Any]) -> None:
    found = TypedSerializer().loads_typed((line["kind"], b64decode(line["data"])))
    assert found == VALUES[line["value"]]
    assert repr(found) == repr(VALUES[line["value"]])


def test_the_dictionaries_are_what_they_were() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in DICTIONARIES.glob("*.zdict")}
    assert found == FOREVER
