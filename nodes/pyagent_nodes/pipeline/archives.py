"""Packs a repository into an archive and unpacks archives that nobody has vouched for."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from pyagent.sdk import NodeError
from pyagent.sdk.threads import Check

JUNK = frozenset(
    {
        ".git", ".hg", ".svn", ".venv", "venv", ".env", "__pycache__", ".tox", ".nox", ".mypy_cache", ".ruff_cache",
        ".pytest_cache", ".hypothesis", ".eggs", "node_modules", ".pyagent", ".idea", ".cache", "htmlcov",
    }
)  # fmt: skip
"""Folders that are never copied: version control, environments, caches."""
MARKER = "pyvenv.cfg"
"""A folder with this file is a virtual environment, whatever its name."""


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """What an archive or a repository may hold."""

    files: int = 50_000
    total: int = 1 << 30
    """Bytes of all files together, unpacked."""
    file: int = 256 << 20
    """Bytes of one file."""


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """What came out of an archive."""

    files: int
    size: int
    """Bytes."""


class ArchiveError(NodeError):
    """The archive is damaged, hostile or too large."""

    code = "pipeline.fetch.bad_archive"
    hint = "Nothing of it was kept. Check where the package comes from."


class TooLarge(NodeError):
    """The repository is larger than the limits."""

    code = "pipeline.fetch.too_large"
    hint = "Point at a smaller folder, or raise `max_files` and `max_size` on the node."


def sha256_of(path: Path, check: Check = lambda: None) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            check()
            digest.update(chunk)
    return digest.hexdigest()


def repository_files(root: Path, check: Check = lambda: None) -> Iterator[Path]:
    """The files of a repository in a fixed order, without junk; links that lead out of it or in circles, and names that
    are not UTF-8, are left out."""
    real_root = root.resolve()
    for folder, folders, files in os.walk(root, followlinks=False):
        check()
        here = Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if name not in JUNK
            and not name.endswith(".egg-info")
            and not (here / name).is_symlink()
            and not (here / name / MARKER).exists()
        )
        for name in sorted(files):
            path = here / name
            if name.endswith((".pyc", ".pyo")) or not is_text(name):
                continue
            if path.is_symlink():
                if not _leads_to_file_in(path, real_root):
                    continue
            elif not stat.S_ISREG(path.lstat().st_mode):
                continue
            yield path


def is_text(name: str) -> bool:
    """Whether a file's name is UTF-8: no other is an importable module, or could be named in a report."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _leads_to_file_in(link: Path, root: Path) -> bool:
    try:
        target = link.resolve()
    except (OSError, RuntimeError):  # a link that leads to itself
        return False
    return target.is_relative_to(root) and target.is_file()


def pack(root: Path, target: Path, name: str, limits: ArchiveLimits, check: Check) -> Unpacked:
    """Write the repository at `root` into `target`, a `.tar.gz` with one folder `name`.

    The bytes depend on the content only, so the same repository always has the same hash. A link inside the
    repository becomes a copy. Raises `TooLarge`.
    """
    count = size = 0
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in repository_files(root, check):
            check()
            status = path.stat()
            count += 1
            size += status.st_size
            if count > limits.files or size > limits.total:
                raise TooLarge(
                    f"{root} holds more than {limits.files} files or {limits.total >> 20} MiB",
                    details={"files": count, "bytes": size},
                )
            if status.st_size > limits.file:
                raise TooLarge(
                    f"{path} is larger than {limits.file >> 20} MiB",
                    hint="Move the file out of the repository, or point at a smaller folder.",
                    details={"file": str(path), "bytes": status.st_size},
                )
            info = tarfile.TarInfo(f"{name}/{path.relative_to(root).as_posix()}")
            info.size = status.st_size
            info.mode = 0o755 if status.st_mode & 0o100 else 0o644
            with path.open("rb") as file:
                archive.addfile(info, file)
    return Unpacked(files=count, size=size)


class _Writer:
    """Writes checked members below a root, counting against the limits."""

    def __init__(self, root: Path, limits: ArchiveLimits, check: Check) -> None:
        self.root = root
        self.limits = limits
        self.check = check
        self.files = 0
        self.size = 0

    def path(self, name: str, prefix: str) -> Path | None:
        """Where a member goes; None for the top folder itself and for a name that is no text.

        Raises `ArchiveError` for a path that leaves the root.
        """
        if not is_text(name):
            return None
        pure = PurePosixPath(name.replace("\\", "/"))
        if pure.is_absolute() or ".." in pure.parts or "\0" in name or (pure.parts and ":" in pure.parts[0]):
            raise ArchiveError(f"the archive holds a path that leads out of it: {name!r}")
        parts = pure.parts[1:] if prefix else pure.parts
        return self.root.joinpath(*parts) if parts else None

    def write(self, target: Path, content: IO[bytes], executable: bool) -> None:
        """Copy one file's content; the limits hold for what is really there, not for what the header says."""
        self.files += 1
        if self.files > self.limits.files:
            raise ArchiveError(f"the archive holds more than {self.limits.files} files")
        target.parent.mkdir(parents=True, exist_ok=True)
        written = 0
        with target.open("xb") as file:
            while chunk := content.read(1 << 20):
                self.check()
                written += len(chunk)
                self.size += len(chunk)
                if written > self.limits.file:
                    raise ArchiveError(f"the archive holds a file of more than {self.limits.file >> 20} MiB")
                if self.size > self.limits.total:
                    raise ArchiveError(f"the archive unpacks to more than {self.limits.total >> 20} MiB")
                file.write(chunk)
        target.chmod(0o755 if executable else 0o644)


def _common_prefix(names: list[str]) -> str:
    tops = {PurePosixPath(name).parts[0] for name in names if PurePosixPath(name).parts}
    nested = any(len(PurePosixPath(name).parts) > 1 for name in names)
    return tops.pop() if len(tops) == 1 and nested else ""


def unpack(archive: Path | bytes, root: Path, limits: ArchiveLimits | None = None, *, check: Check) -> Unpacked:
    """Unpack a `.tar.*` or `.zip` into `root`, without its single top folder.

    Only regular files and folders are made; links, devices and the rest are left out, and no owner, time or mode
    beyond "executable" is taken over. Raises `ArchiveError` for a damaged archive, a path that leads out of it, a
    name that comes twice, or more than `limits`.
    """
    limits = limits or ArchiveLimits()
    content = io.BytesIO(archive) if isinstance(archive, bytes) else archive.open("rb")
    root.mkdir(parents=True, exist_ok=True)
    writer = _Writer(root, limits, check)
    try:
        with content:
            if zipfile.is_zipfile(content):
                _unpack_zip(content, writer)
            else:
                content.seek(0)
                _unpack_tar(content, writer)
    except ArchiveError:
        shutil.rmtree(root, ignore_errors=True)
        raise
    except FileExistsError as error:
        shutil.rmtree(root, ignore_errors=True)
        raise ArchiveError(f"the archive holds a name twice: {error.filename}") from error
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, gzip.BadGzipFile, NotADirectoryError) as error:
        shutil.rmtree(root, ignore_errors=True)
        raise ArchiveError(f"the archive is damaged: {error}") from error
    return Unpacked(files=writer.files, size=writer.size)


def _unpack_tar(content: IO[bytes], writer: _Writer) -> None:
    with tarfile.open(fileobj=content, mode="r:*") as archive:
        members: list[tarfile.TarInfo] = []
        declared = 0
        while (member := archive.next()) is not None:
            writer.check()
            declared += member.size
            if len(members) > writer.limits.files * 2 or declared > writer.limits.total:
                raise ArchiveError(f"the archive unpacks to more than {writer.limits.total >> 20} MiB")
            members.append(member)
        prefix = _common_prefix([member.name for member in members])
        for member in members:
            target = writer.path(member.name, prefix)
            if target is None:
                continue
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.isreg() and (source := archive.extractfile(member)) is not None:
                with source:
                    writer.write(target, source, bool(member.mode & 0o100))


def _unpack_zip(content: IO[bytes], writer: _Writer) -> None:
    with zipfile.ZipFile(content) as archive:
        members = archive.infolist()
        prefix = _common_prefix([member.filename for member in members])
        for member in members:
            writer.check()
            target = writer.path(member.filename, prefix)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if target is None or kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                continue
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                with archive.open(member) as source:
                    writer.write(target, source, bool((member.external_attr >> 16) & 0o100))
