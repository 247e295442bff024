"""Asks git about files, and lets nothing but git itself be run by that: no hook, no pager, no helper, no network."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pyagent.errors import SetupError

SECONDS = 20.0
"""How long git may take for one answer."""
MOST_BYTES = 64 * 1024 * 1024
"""Of all contents that are asked for at one time."""
_KEPT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT")
_SETTINGS = {
    # What a repository says in its own configuration may name programs.
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.pager": "cat",
    "core.quotePath": "false",
    "log.showSignature": "false",
    "protocol.allow": "never",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_PAGER": "cat",
    "LC_ALL": "C.UTF-8",
}
_HEAD = "%H%x00%at%x00%an%x00%s"


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """A commit that changed a file."""

    id: str
    at: datetime
    author: str
    subject: str
    """The first line of its message."""
    blob: str | None
    """The object that holds the file as the commit left it; None: the commit removed it."""


def commits_of(file: Path, limit: int) -> list[Commit]:
    """The last commits that changed the file, newest first, also under the names that it had before.

    Empty where the file is in no repository, where that has no commits, or where there is no git.
    """
    try:
        found = _git(
            file.parent,
            *("log", "--follow", f"--max-count={limit}", f"--format={_HEAD}", "--raw", "--no-abbrev", "-z"),
            *("--diff-merges=first-parent", "--no-ext-diff", "--no-textconv", "--no-show-signature", "--no-color"),
            *("--no-mailmap", "--", file.name),
        )
    except SetupError:
        return []
    return list(_commits(found))


def _commits(output: bytes) -> Iterator[Commit]:
    """What `log` says: parts that end with NUL, which no message and no name can hold."""
    parts = iter(output.decode("utf-8", "replace").split("\0"))
    part = next(parts)
    while part.strip():
        name, at, author, subject = part.strip(), next(parts), next(parts), next(parts)
        blob: str | None = None
        copied = False
        # `:100644 100644 <old blob> <new blob> M`, and one path, or two where it was renamed
        while (part := next(parts, "").lstrip("\n")).startswith(":"):
            _, _, _, now, how = part.split(" ")
            blob, copied = now if now.strip("0") else None, how.startswith("C")
            for _ in range(2 if how[0] in "RC" else 1):
                next(parts)
        yield Commit(id=name, at=datetime.fromtimestamp(int(at), UTC), author=author, subject=subject, blob=blob)
        if copied:
            # What was before is the other file's, which goes on by itself.
            return


def blobs(folder: Path, names: Sequence[str], *, most: int = MOST_BYTES) -> dict[str, bytes]:
    """The contents of objects of the repository that `folder` is in, by name; those that are not there left out.

    Where they have more than `most` bytes in all, the first that fit are given: a repository may come from anybody.
    Raises `SetupError` (`setup.git`).
    """
    names = _fitting(
        _git(folder, "cat-file", "--batch-check", asked="".join(f"{name}\n" for name in names).encode()), most
    )
    output = _git(folder, "cat-file", "--batch", asked="".join(f"{name}\n" for name in names).encode())
    found: dict[str, bytes] = {}
    position = 0
    for name in names:
        end = output.find(b"\n", position)
        if end < 0:
            break
        header = output[position:end].split(b" ")
        position = end + 1
        if len(header) != 3 or header[1] != b"blob":
            continue
        size = int(header[2])
        found[name] = output[position : position + size]
        position += size + 1
    return found


def _fitting(checked: bytes, most: int) -> list[str]:
    """Names of the blobs that `cat-file --batch-check` has told of, as long as they fit into so many bytes."""
    found: list[str] = []
    for line in checked.decode().splitlines():
        name, _, rest = line.partition(" ")
        kind, _, size = rest.partition(" ")
        if kind == "blob" and int(size) <= most:
            most -= int(size)
            found.append(name)
    return found


def _git(folder: Path, *arguments: str, asked: bytes = b"") -> bytes:
    """What git says. Raises `SetupError` (`setup.git`) where it cannot be started, fails, or takes too long."""
    environment = {name: value for name in _KEPT if (value := os.environ.get(name)) is not None} | _ENVIRONMENT
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    try:
        done = subprocess.run(
            ["git", "--no-pager", *settings, "-C", str(folder), *arguments],
            input=asked,
            capture_output=True,
            check=False,
            env=environment,
            timeout=SECONDS,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"git does not answer: {error}", code="setup.git", hint="Run git there by hand.") from error
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise SetupError(
            f"git {arguments[0]}: {reason[-1] if reason else done.returncode}",
            code="setup.git",
            hint="Run git there by hand.",
        )
    return done.stdout


__all__ = ["Commit", "blobs", "commits_of"]
