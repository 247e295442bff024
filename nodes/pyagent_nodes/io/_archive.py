"""Reads ZIP archives that nobody has vouched for, within limits."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from pyagent.sdk import NodeError

_CHUNK = 256 * 1024
_RATIO_FROM = 1024 * 1024
"""Bytes of a file from which its ratio counts: small files of blanks are packed well without harm."""


class ZipError(NodeError):
    """The archive is damaged, hostile or of an unknown kind."""

    code = "node.zip"
    hint = "Check where it comes from; nothing of it was kept."


class ZipEncrypted(ZipError):
    """A file in the archive is encrypted."""

    code = "node.zip_encrypted"
    hint = "Unpack it with its password, and pack it again without."


class ZipUnsafe(ZipError):
    """A name in the archive leads out of it, or names no regular file."""

    code = "node.zip_unsafe"


class ZipTooLarge(ZipError):
    """The archive unpacks to more than the limits allow."""

    code = "node.zip_size"
    hint = "Raise the limit that the message names, if you trust the archive."


@dataclass(frozen=True, kw_only=True, slots=True)
class ZipLimits:
    """What an archive may unpack to."""

    files: int
    total: int
    """Bytes of all files together."""
    file: int
    """Bytes of one file."""
    ratio: int
    """Unpacked by packed size of a file of 1 MiB or more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ZipMember:
    """One file of an archive."""

    path: str
    """Its name in the archive, with `/` between folders."""
    info: zipfile.ZipInfo


class ZipReader:
    """An archive whose names and declared sizes are checked when it is opened."""

    def __init__(self, content: bytes, limits: ZipLimits, name: str = "", encoding: str = "auto") -> None:
        """Raises `ZipError` and its subclasses. `encoding` is that of names not marked as UTF-8; `auto` tries UTF-8,
        then cp437."""
        self._limits = limits
        self._label = name or "the content"
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(content))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OverflowError) as error:
            raise ZipError(f"{self._label} is no ZIP archive, or a damaged one: {error}") from error
        self._unpacked = 0
        self.members = self._checked(encoding)

    def _checked(self, encoding: str) -> list[ZipMember]:
        infos = self._archive.infolist()
        if len(infos) > self._limits.files * 2:
            raise ZipTooLarge(f"{self._label} holds more than {self._limits.files} files (`max_files`)")
        members: list[ZipMember] = []
        seen: set[str] = set()
        total = 0
        for info in infos:
            path = _name(info, encoding)
            pure = PurePosixPath(path.replace("\\", "/"))
            if pure.is_absolute() or ".." in pure.parts or (pure.parts and ":" in pure.parts[0]) or "\0" in path:
                raise ZipUnsafe(f"{self._label} holds a path that leads out of it: {path!r}")
            kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                what = "a symbolic link" if kind == stat.S_IFLNK else "no regular file"
                raise ZipUnsafe(f"{self._label}: {path!r} is {what}")
            if info.is_dir() or kind == stat.S_IFDIR or path.endswith(("/", "\\")):
                continue
            if not pure.parts:
                raise ZipUnsafe(f"{self._label} holds a file without a name")
            if info.flag_bits & 0x1:
                raise ZipEncrypted(f"{self._label}: {path!r} is encrypted")
            if str(pure) in seen:
                raise ZipError(f"{self._label} holds {path!r} twice")
            seen.add(str(pure))
            total += info.file_size
            members.append(ZipMember(path=str(pure), info=info))
            self._check(str(pure), info.file_size, info.compress_size, total)
        if len(members) > self._limits.files:
            raise ZipTooLarge(f"{self._label} holds more than {self._limits.files} files (`max_files`)")
        return members

    def _check(self, path: str, size: int, packed: int, total: int) -> None:
        limits = self._limits
        if size > limits.file:
            raise ZipTooLarge(f"{self._label}: {path!r} unpacks to more than {limits.file} bytes (`max_file`)")
        if total > limits.total:
            raise ZipTooLarge(f"{self._label} unpacks to more than {limits.total} bytes (`max_total`)")
        if size >= _RATIO_FROM and size > limits.ratio * max(packed, 1):
            raise ZipTooLarge(
                f"{self._label}: {path!r} unpacks to more than {limits.ratio} times its packed size (`max_ratio`)"
            )

    def read(self, member: ZipMember, check: Callable[[], None]) -> bytes:
        """A file's content, held to the limits whatever the archive declares. Raises `ZipError`."""
        return b"".join(self._chunks(member, check))

    def _chunks(self, member: ZipMember, check: Callable[[], None]) -> Iterator[bytes]:
        size = 0
        try:
            with self._archive.open(member.info) as file:
                while chunk := file.read(_CHUNK):
                    check()
                    size += len(chunk)
                    self._unpacked += len(chunk)
                    self._check(member.path, size, member.info.compress_size, self._unpacked)
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError) as error:
            raise ZipError(f"{self._label}: {member.path!r} cannot be unpacked: {error}") from error
        except RuntimeError as error:  # what zipfile raises for encryption that the flags do not tell
            raise ZipEncrypted(f"{self._label}: {member.path!r}: {error}") from error


def _name(info: zipfile.ZipInfo, encoding: str) -> str:
    if info.flag_bits & 0x800:
        return info.filename
    try:
        raw = info.orig_filename.encode("cp437")
    except UnicodeEncodeError:
        return info.filename
    for candidate in (encoding,) if encoding != "auto" else ("utf-8", "cp437"):
        try:
            return raw.decode(candidate)
        except UnicodeDecodeError:
            continue
        except LookupError as error:
            raise ZipError(f"there is no encoding {candidate!r}", hint="Correct `names`.") from error
    raise ZipError(f"the name {info.filename!r} is not {encoding}", hint="Correct `names`.")
