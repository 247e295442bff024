"""Patches that can be taken back hunk by hunk: pure functions on texts.

A hunk is one run of changed lines without context, counted in the original's lines, so that any subset of a
file's hunks can be applied to the original.
"""

from __future__ import annotations

import difflib
import io
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Hunk:
    """`old` lines from line `start` (from 0) of the original become `new`."""

    start: int
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FilePatch:
    """All changes to one file."""

    path: str
    """From the repository's root, with `/`."""
    hunks: tuple[Hunk, ...]

    def unit(self, index: int) -> str:
        """The name of a hunk, `path#number` from 1."""
        return f"{self.path}#{index + 1}"

    @property
    def units(self) -> list[str]:
        """The names of all hunks, in the file's order."""
        return [self.unit(index) for index in range(len(self.hunks))]


class PatchMismatch(ValueError):
    """The text is not the one that the patch was made for."""


def lines_of(text: str) -> list[str]:
    """The lines with their ends, which may be `\\n`, `\\r\\n` or `\\r`; nothing else ends a line."""
    return list(io.StringIO(text, newline=""))


def compare(path: str, old: str, new: str) -> FilePatch | None:
    """The patch that turns `old` into `new`; None if they are the same."""
    if old == new:
        return None
    before, after = lines_of(old), lines_of(new)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    hunks = tuple(
        Hunk(start=i1, old=tuple(before[i1:i2]), new=tuple(after[j1:j2]))
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag != "equal"
    )
    return FilePatch(path=path, hunks=hunks)


def apply(text: str, patch: FilePatch, reverted: Collection[str] = ()) -> str:
    """The text with all hunks but those reverted. Raises `PatchMismatch`."""
    lines = lines_of(text)
    for index in reversed(range(len(patch.hunks))):
        hunk = patch.hunks[index]
        if patch.unit(index) in reverted:
            continue
        end = hunk.start + len(hunk.old)
        if tuple(lines[hunk.start : end]) != hunk.old:
            raise PatchMismatch(f"{patch.path}: line {hunk.start + 1} is not what the patch was made for")
        lines[hunk.start : end] = hunk.new
    return "".join(lines)


def counts(patch: FilePatch, reverted: Collection[str]) -> tuple[int, int, int]:
    """Hunks in force, lines added and lines removed by them."""
    kept = [hunk for index, hunk in enumerate(patch.hunks) if patch.unit(index) not in reverted]
    return len(kept), sum(len(hunk.new) for hunk in kept), sum(len(hunk.old) for hunk in kept)


def unified(originals: Mapping[str, str], patches: Iterable[FilePatch], reverted: Collection[str]) -> str:
    """What is in force as a unified diff with `a/` and `b/` paths, as git and patch(1) read it."""
    parts: list[str] = []
    for patch in patches:
        old = originals[patch.path]
        new = apply(old, patch, reverted)
        for line in difflib.unified_diff(lines_of(old), lines_of(new), f"a/{patch.path}", f"b/{patch.path}"):
            parts.append(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n")
    return "".join(parts)


def encode(patches: Sequence[FilePatch]) -> bytes:
    """The patches as JSON."""
    found = [
        {"path": patch.path, "hunks": [[hunk.start, list(hunk.old), list(hunk.new)] for hunk in patch.hunks]}
        for patch in patches
    ]
    return json.dumps({"version": 1, "files": found}).encode()


def decode(data: bytes) -> list[FilePatch]:
    """The reverse of `encode`."""
    return [
        FilePatch(
            path=file["path"],
            hunks=tuple(Hunk(start=start, old=tuple(old), new=tuple(new)) for start, old, new in file["hunks"]),
        )
        for file in json.loads(data)["files"]
    ]
