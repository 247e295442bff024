"""The file that one run is exported to: its layout, how it is written, and how it is read without trusting it.

It is a zip, because a person who sends a run to somebody should be able to look into it first with what is on every
machine, and because trackers of bugs take zips. In it:

    README.txt              what this is
    manifest.json           format, version of the program, the runs, the graphs, what was left out
    graphs/HASH.yaml        each version of a graph that the runs were pinned to
    runs/ID/run.json        the run itself
    runs/ID/log.jsonl       its log, an entry a line
    runs/ID/events.jsonl    its events, without their cursors
    runs/ID/steps.jsonl     its steps, with their lineage where it could be told
    runs/ID/decisions.jsonl what followed from each entry where it was exported; missing if it could not be replayed
    blobs/DIGEST            each payload that these speak of

The same contents give the same bytes. The zip's comment is `pyagent-run FORMAT blake3:` and the digest of every byte
before it: no bit can change unseen. Nothing is ever unpacked to a path.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
import zlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, cast

import orjson

from pyagent.errors import InputError
from pyagent.native import Blake3, blake3_hex

FORMAT = 1
MEDIA_TYPE = "application/zip"
ENDING = ".run.zip"
TEXT_LIMIT = 256 * 1024 * 1024
"""Bytes that all but the blobs of a file may unpack to."""
LIMIT = 4 * 1024 * 1024 * 1024
"""Bytes that a file may unpack to."""
MOST_PARTS = 200_000
_MARK = re.compile(rb"pyagent-run (\d{1,6}) blake3:([0-9a-f]{64})")
_DIGITS = 64
_NAME = re.compile(
    r"README\.txt|manifest\.json|graphs/[0-9a-f]{64}\.yaml|blobs/[0-9a-f]{64}"
    r"|runs/[0-9a-z]{6,40}/(?:run\.json|(?:log|events|steps|decisions)\.jsonl)"
)
_PIECE = 1024 * 1024
_README = """This is one run of a PyAgent graph, exported with `pyagent export`.

Look into it before you pass it on: values of credentials are taken out, other data is in it unless
`--without-data` was given (manifest.json says so). `pyagent import FILE` brings it into a store, where it can be
looked at and forked; it is never executed there.
"""


class BadRunFile(InputError):
    """The file is no exported run, is damaged, or holds what an exported run cannot hold."""

    code = "run_file.invalid"
    hint = "Export the run again: pyagent export RUN"


def damaged(what: str) -> BadRunFile:
    """The error for a file that has changed since it was written."""
    return BadRunFile(
        f"the file of the run is damaged: {what}",
        code="run_file.damaged",
        hint="Copy it again from where it comes from, as a binary file, or export the run again.",
    )


def too_large(what: str, limit: int) -> BadRunFile:
    """The error for a file that would unpack to more than it may."""
    return BadRunFile(
        f"the file of the run {what}",
        code="run_file.too_large",
        hint="If you trust it, allow more: `pyagent import FILE --max-size 20GB`.",
        details={"limit": limit},
    )


class RunFileWriter:
    """Writes a run's file part by part; `seal` ends it. The same parts in the same order give the same bytes."""

    def __init__(self, path: Path) -> None:
        """Raises `OSError`."""
        self._path = path
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self._blobs: set[str] = set()
        self.write("README.txt", _README.encode())

    def write(self, name: str, content: bytes) -> None:
        """Add a part."""
        info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        info.compress_type = zipfile.ZIP_DEFLATED
        info.create_system = 3
        info.external_attr = 0o600 << 16
        self._zip.writestr(info, content)

    def write_json(self, name: str, value: Any) -> None:
        """Add a part that is one JSON value."""
        self.write(name, _json(value))

    def write_lines(self, name: str, values: Sequence[Any]) -> None:
        """Add a part that is one JSON value a line."""
        self.write(name, b"".join(_json(value) + b"\n" for value in values))

    def write_blob(self, content: bytes) -> str:
        """Add a payload, unless it is there, and return its digest."""
        digest = blake3_hex(content)
        if digest not in self._blobs:
            self._blobs.add(digest)
            self.write(f"blobs/{digest}", content)
        return digest

    def seal(self) -> None:
        """End the file: from now on every byte of it is checked."""
        mark = f"pyagent-run {FORMAT} blake3:".encode()
        self._zip.comment = mark + b"0" * _DIGITS
        self._zip.close()
        size = self._path.stat().st_size
        digest = _digest(self._path, size - _DIGITS)
        with self._path.open("r+b") as file:
            file.seek(size - _DIGITS)
            file.write(digest.encode())

    def close(self) -> None:
        """Let go of a file that is not to be sealed; safe after `seal`."""
        self._zip.close()


class RunFileReader:
    """A file whose every byte is as it was written, and whose parts have the names and sizes that they may have.

    What the parts say is for the reader to judge: anybody can make a file with a right digest.
    """

    def __init__(self, file: zipfile.ZipFile, parts: Mapping[str, zipfile.ZipInfo]) -> None:
        self._zip = file
        self._parts = parts

    @classmethod
    @contextmanager
    def open(cls, path: Path, *, limit: int = LIMIT) -> Generator[Self]:
        """Check the file and open it. Raises `BadRunFile`, and `OSError` if it cannot be read."""
        _check_mark(path)
        try:
            with zipfile.ZipFile(path) as file:
                yield cls(file, _parts(file, limit))
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError, RuntimeError) as error:
            raise damaged(str(error)) from error

    @property
    def blobs(self) -> Mapping[str, int]:
        """Sizes of the payloads by digest."""
        return {
            name.partition("/")[2]: info.file_size for name, info in self._parts.items() if name.startswith("blobs/")
        }

    def has(self, name: str) -> bool:
        """Whether there is such a part."""
        return name in self._parts

    def read(self, name: str) -> bytes:
        """A part. Raises `BadRunFile` if it is not there."""
        info = self._parts.get(name)
        if info is None:
            raise BadRunFile(f"the file of the run has no part {name}")
        return self._zip.read(info)

    def read_json(self, name: str) -> dict[str, Any]:
        """A part that is one JSON object. Raises `BadRunFile`."""
        return _object(self.read(name), name)

    def read_lines(self, name: str) -> list[dict[str, Any]]:
        """A part that is one JSON object a line. Raises `BadRunFile`."""
        return [_object(line, name) for line in self.read(name).split(b"\n") if line]

    def blob(self, digest: str) -> bytes:
        """A payload. Raises `BadRunFile` if it is not there or is something else."""
        content = self.read(f"blobs/{digest}")
        if blake3_hex(content) != digest:
            raise damaged(f"its payload {digest[:12]}… is something else")
        return content

    def check_blobs(self) -> None:
        """Read every payload, one piece at a time. Raises `BadRunFile` for one that is not what its name says."""
        for digest in self.blobs:
            whole = Blake3()
            with self._zip.open(self._parts[f"blobs/{digest}"]) as part:
                while piece := part.read(_PIECE):
                    whole.update(piece)
            if whole.hexdigest() != digest:
                raise damaged(f"its payload {digest[:12]}… is something else")


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        # Integers beyond 64 bits and halves of characters, which events may hold; the latter no other program can read.
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def _object(text: bytes, name: str) -> dict[str, Any]:
    try:
        orjson.loads(text)  # refuses halves of characters and what is no number, too
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRunFile(f"{name} in the file of the run is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadRunFile(f"{name} in the file of the run does not hold objects")
    return cast("dict[str, Any]", found)


def _digest(path: Path, size: int) -> str:
    whole = Blake3()
    with path.open("rb") as file:
        while size > 0 and (piece := file.read(min(size, _PIECE))):
            whole.update(piece)
            size -= len(piece)
    return whole.hexdigest()


def _check_mark(path: Path) -> None:
    if not path.is_file():
        raise BadRunFile(
            f"{path} is a folder" if path.is_dir() else f"there is no file {path}",
            code="run_file.no_file",
            hint="Give a file that `pyagent export RUN` wrote.",
        )
    size = path.stat().st_size
    with path.open("rb") as file:
        begins = file.read(4)
        file.seek(max(0, size - 128))
        found = re.search(_MARK.pattern + rb"$", file.read())
    if found is None:
        if begins == b"PK\x03\x04":
            raise damaged("its end is missing, or it was packed again, or is another zip")
        raise BadRunFile(
            f"{path.name} is no exported run",
            code="run_file.no_run",
            hint="Give a file that `pyagent export RUN` has written, as it is: not unpacked and not packed again.",
        )
    if int(found[1]) != FORMAT:
        raise BadRunFile(
            f"the file of the run has format {int(found[1])}, and this program reads format {FORMAT}",
            code="run_file.version",
            hint="A newer PyAgent has written it: upgrade this one.",
            details={"format": int(found[1])},
        )
    if _digest(path, size - _DIGITS) != found[2].decode():
        raise damaged("it is not what was written")


def _parts(file: zipfile.ZipFile, limit: int) -> dict[str, zipfile.ZipInfo]:
    """The parts by name, once each, none of them too large or of a name that none has."""
    infos = file.infolist()
    if len(infos) > MOST_PARTS:
        raise too_large(f"has {len(infos):,} parts; {MOST_PARTS:,} are the most", MOST_PARTS)
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = info.filename
        if _NAME.fullmatch(name) is None or name in found or name != info.orig_filename:
            raise BadRunFile(f"the file of the run has a part that none has: {name[:80]!r}", code="run_file.part")
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadRunFile(f"the part {name} is encrypted or packed in another way", code="run_file.part")
        found[name] = info
    text = sum(info.file_size for name, info in found.items() if not name.startswith("blobs/"))
    if text > min(TEXT_LIMIT, limit):
        raise too_large(f"would unpack to a log of {text:,} bytes", min(TEXT_LIMIT, limit))
    if (whole := sum(info.file_size for info in infos)) > limit:
        raise too_large(f"would unpack to {whole:,} bytes; {limit:,} are allowed", limit)
    return found


def file_name(run_id: str) -> str:
    """What a run's file is called."""
    return run_id + ENDING


def remove(path: Path) -> None:
    """Remove what is left of a file that could not be finished."""
    if os.path.lexists(path):
        path.unlink()


__all__ = [
    "ENDING",
    "FORMAT",
    "LIMIT",
    "MEDIA_TYPE",
    "BadRunFile",
    "RunFileReader",
    "RunFileWriter",
    "damaged",
    "file_name",
    "remove",
    "too_large",
]
