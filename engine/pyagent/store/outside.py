"""Large blobs outside of the database: in a folder, or in an object store like S3 (`PYAGENT_BLOBS`).

Each database has a folder of its own there, with a name of chance that it keeps, so that several may share a bucket.
Each upload has a name of its own as well: the content's digest (a sealed one's is told by the vault alone, see
`store.sealing`) and something of chance. Whoever removes an object
because its blob's last reference went can thus never take one that another worker has uploaded meanwhile, and no
transaction waits for a network: what a blob's row says in the transaction is all that counts. An upload that no commit
came to refer to is an orphan, which `OutsideBlobs.sweep` removes after `GRACE`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from pyagent.errors import SetupError, StoreError
from pyagent.settings import BLOBS
from pyagent.store import sealing
from pyagent.store.base import StoreFull, StoreUnavailable
from pyagent.store.blobs import DIGEST_LENGTH, BlobFiles, blob_missing
from pyagent.store.files import private_folder

logger = logging.getLogger(__name__)

GRACE = 24 * 3600.0
"""Seconds after which an upload that nothing refers to is an orphan. A commit takes no upload that is older than half
of that, so that clocks may differ by hours."""
SWEEP_PAUSE = 3600.0
"""Seconds between two looks for orphans by one process: each lists all that there is."""
PAGE = 1000
_SHOWN = 20
"""Faults of one place that are told one by one."""
_CHANCE = 12
NAME_LENGTH = DIGEST_LENGTH + 1 + _CHANCE
LOCATION_TAIL = NAME_LENGTH + 4
"""Letters of a location behind the address of its place: `/ab/` and the name."""
_HINT = (
    "PYAGENT_BLOBS takes a path, file:///absolute/path or s3://bucket/prefix; credentials come from AWS_… variables."
)


class BlobsUnavailable(StoreUnavailable):
    """The place where large blobs lie cannot be reached; runs go on when it can."""

    code = "store.blobs_unavailable"
    hint = "See whether it is mounted or its server runs; `pyagent doctor` asks it again."


class BlobsRefused(BlobsUnavailable):
    """The place where large blobs lie does not let us in: wrong credentials, no right, no such bucket."""

    code = "store.blobs_refused"
    hint = "Correct AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, or the bucket in PYAGENT_BLOBS."


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """A payload that lies outside and that no commit refers to yet."""

    digest: str
    size: int
    location: str
    """The place's address, `/ab/` and the object's name."""
    begun: float
    """Unix time."""

    @property
    def name(self) -> str:
        """What the blob is called in the database, too."""
        return name_in(self.location)

    @property
    def is_fresh(self) -> bool:
        """Whether a commit may refer to it: no sweep can have taken it for an orphan."""
        return time.time() - self.begun < GRACE / 2


class BlobPlace(Protocol):
    """A folder of blobs in a file system or in an object store. Methods block, and may be called in any thread.

    They raise `BlobsUnavailable`, reading ones `StoreError` (`store.blob_missing`, `store.blob_digest`) too."""

    address: str
    """As it may be shown: no secret is in it."""

    def make(self) -> None:
        """Prepare a place that is new."""
        ...

    def unmake(self) -> None:
        """Remove the place, which has nothing in it."""
        ...

    def put(self, source: BinaryIO) -> tuple[str, int, str]:
        """Keep what can be read from the source; digest, size in bytes and name. When this returns it is durable."""
        ...

    def read(self, name: str) -> bytes: ...

    def read_range(self, name: str, start: int, end: int) -> bytes: ...

    def remove(self, names: Sequence[str]) -> None:
        """Remove those of them that are there."""
        ...

    def kept(self) -> Iterator[tuple[str, float]]:
        """Names of all blobs, and the Unix times when they came."""
        ...

    def remove_leftovers(self, older_than: float) -> None:
        """Remove what killed writers left behind, last written before the given Unix time."""
        ...


def new_name(digest: str) -> str:
    """A name that no other upload has."""
    return sealing.kept_name(digest) + behind_digest()


def behind_digest() -> str:
    """What makes the name of an upload its own."""
    return f"-{uuid.uuid4().hex[:_CHANCE]}"


def base_of(setting: str) -> str:
    """The address that a value of `PYAGENT_BLOBS` means, in one way of writing it; empty: the store's own way. Raises
    `SetupError` (`setup.setting`)."""
    scheme, separator, rest = setting.partition("://")
    if not setting:
        return ""
    if not separator:
        return Path(setting).expanduser().absolute().as_uri()
    if scheme == "file" and rest.startswith("/") and not re.search(r"[?#]", rest):
        return Path("/" + unquote(rest).strip("/")).as_uri()
    if scheme == "s3" and re.fullmatch(r"[A-Za-z0-9.\-_]+(/[^/?#@\s]+)*/*", rest):
        return f"s3://{rest.rstrip('/')}"
    # Not shown: somebody may have put a secret into it.
    raise SetupError("PYAGENT_BLOBS is no place for blobs", code="setup.setting", hint=_HINT)


class OutsideBlobs:
    """The blobs of one database that lie outside: those it has, wherever they are, and new ones where the setting
    says."""

    def __init__(self, setting: str | None = None) -> None:
        """`setting`: None takes `PYAGENT_BLOBS`. Raises `SetupError` (`setup.setting`)."""
        self.base = base_of(BLOBS.text() if setting is None else setting)
        """Where new large blobs go; empty: the store's own way."""
        self.grace = GRACE
        self.sweep_pause = SWEEP_PAUSE
        self._places: dict[str, BlobPlace] = {}
        self._swept: dict[str, float] = {}

    def check(self) -> None:
        """Raises `BlobsUnavailable` if what the setting asks for is not installed."""
        if self.base:
            self.at(self.base)

    def at(self, address: str) -> BlobPlace:
        """The place with this address."""
        if address not in self._places:
            self._places[address] = open_place(address)
        return self._places[address]

    async def new_folder(self) -> str:
        """The name of a folder for a database that has none yet, which is made."""
        name = uuid.uuid4().hex
        await asyncio.to_thread(self.at(f"{self.base}/{name}").make)
        return name

    async def try_out(self) -> None:
        """Write, read and remove a small blob where new ones go. Raises `StoreError`."""
        place, content = self.at(f"{self.base}/{uuid.uuid4().hex}"), b"Does it work?"

        def try_it() -> None:
            place.make()
            _, _, name = place.put(io.BytesIO(content))
            place.read(name)
            place.remove([name])
            place.unmake()

        await asyncio.to_thread(try_it)

    async def put(self, address: str, content: bytes | Path) -> Upload:
        """Keep a content; when this returns it is durable. Raises `BlobsUnavailable`, `OSError` for the file."""
        begun = time.time()
        digest, size, name = await asyncio.to_thread(self._put, self.at(address), content)
        return Upload(digest=digest, size=size, location=f"{address}/{name[:2]}/{name}", begun=begun)

    @staticmethod
    def _put(place: BlobPlace, content: bytes | Path) -> tuple[str, int, str]:
        if isinstance(content, bytes):
            return place.put(io.BytesIO(content))
        with content.open("rb") as source:
            return place.put(source)

    def read_now(self, location: str) -> bytes:
        """The whole content, blocking."""
        address, name = split(location)
        return self.at(address).read(name)

    async def read(self, location: str) -> bytes:
        """The whole content."""
        return await asyncio.to_thread(self.read_now, location)

    async def read_range(self, location: str, start: int, end: int) -> bytes:
        """The content from `start` up to `end`."""
        address, name = split(location)
        return await asyncio.to_thread(self.at(address).read_range, name, start, end)

    async def remove(self, locations: Iterable[str]) -> None:
        """Remove what no row knows any more. What cannot be reached stays as an orphan, for a sweep."""
        by_place: dict[str, list[str]] = {}
        for address, name in map(split, locations):
            by_place.setdefault(address, []).append(name)
        for address, names in by_place.items():
            try:
                await asyncio.to_thread(self.at(address).remove, names)
            except StoreError as error:
                logger.warning("%d deleted blobs stay for a later sweep: %s", len(names), error)

    async def sweep(
        self, addresses: Iterable[str], known: Callable[[Sequence[str]], Awaitable[Collection[str]]]
    ) -> int:
        """Remove orphans: what came more than `grace` ago and is not among what `known` says of a page of locations;
        returns how many went. Does nothing where this object has looked a short while ago. Raises `BlobsUnavailable`.
        """
        removed = 0
        for address in addresses:
            if time.monotonic() - self._swept.get(address, float("-inf")) < self.sweep_pause:
                continue
            place, end = self.at(address), time.time() - self.grace
            found = (f"{address}/{name[:2]}/{name}" for name, came in place.kept() if came < end)
            while page := await asyncio.to_thread(_page, found):
                kept = await known(page)
                orphans = [split(location)[1] for location in page if location not in kept]
                await asyncio.to_thread(place.remove, orphans)
                removed += len(orphans)
            await asyncio.to_thread(place.remove_leftovers, end)
            self._swept[address] = time.monotonic()
        return removed

    async def faults(self, locations: Iterable[str]) -> list[str]:
        """What is not where the database says, a sentence each."""
        by_place: dict[str, set[str]] = {}
        for address, name in map(split, locations):
            by_place.setdefault(address, set()).add(name)
        found: list[str] = []
        for address, names in sorted(by_place.items()):
            try:
                missing = await asyncio.to_thread(_missing, self.at(address), names)
            except StoreError as error:
                found.append(f"The {len(names)} blobs at {address} cannot be looked at: {error.message}")
                continue
            found += [f"Blob {name[:DIGEST_LENGTH]} is gone from {address}." for name in missing[:_SHOWN]]
            if len(missing) > _SHOWN:
                found.append(f"{len(missing) - _SHOWN} more blobs are gone from {address}.")
        return found


def _page(locations: Iterator[str]) -> list[str]:
    return list(islice(locations, PAGE))


def _missing(place: BlobPlace, names: set[str]) -> list[str]:
    return sorted(names.difference(name for name, _ in place.kept()))


def split(location: str) -> tuple[str, str]:
    """A location's place and name."""
    return location[:-LOCATION_TAIL], location[-NAME_LENGTH:]


def name_in(location: str) -> str:
    """What the database calls what lies at a location."""
    return split(location)[1][:DIGEST_LENGTH]


def open_place(address: str) -> BlobPlace:
    """The place that an address means, as `base_of` writes it. Raises `BlobsUnavailable`."""
    if address.startswith("s3://"):
        from pyagent.store.objects import ObjectPlace

        return ObjectPlace(address)
    return FolderPlace(address)


class FolderPlace:
    """Blobs in a folder: a disk of its own, or one that several machines share."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._root = Path(unquote(urlsplit(address).path))
        self._files = BlobFiles(self._root)

    def make(self) -> None:
        """Make the folder."""
        with self._translated():
            private_folder(self._root)

    def unmake(self) -> None:
        """See `BlobPlace`."""
        with self._translated():
            for folder in (*self._root.iterdir(), self._root):
                folder.rmdir()

    def put(self, source: BinaryIO) -> tuple[str, int, str]:
        """See `BlobPlace`."""
        behind = behind_digest()
        with self._translated():
            self._require_root()
            digest, size = self._files.copy(source, behind)
        return digest, size, sealing.kept_name(digest) + behind

    def read(self, name: str) -> bytes:
        """See `BlobPlace`."""
        with self._translated(name):
            return self._files.read(name)

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """See `BlobPlace`."""
        with self._translated(name):
            return self._files.read_range(name, start, end)

    def remove(self, names: Sequence[str]) -> None:
        """See `BlobPlace`."""
        with self._translated():
            self._require_root()
            for name in names:
                self._files.remove(name)

    def kept(self) -> Iterator[tuple[str, float]]:
        """See `BlobPlace`."""
        with self._translated():
            self._require_root()
            for name in self._files.names():
                with contextlib.suppress(FileNotFoundError):
                    yield name, self._files.path(name).stat().st_mtime

    def remove_leftovers(self, older_than: float) -> None:
        """See `BlobPlace`."""
        with self._translated():
            self._files.remove_leftovers(older_than)

    def _require_root(self) -> None:
        # A disk that is not mounted is a folder without anything in it: nothing may be written there.
        if not self._root.is_dir():
            raise FileNotFoundError(errno.ENOENT, "it is not there", str(self._root))

    @contextlib.contextmanager
    def _translated(self, name: str = "") -> Generator[None]:
        try:
            yield
        except OSError as error:
            if isinstance(error, FileNotFoundError) and name and self._root.is_dir():
                raise blob_missing(name[:DIGEST_LENGTH], self._root) from error
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise StoreFull(f"No space is left for blobs in {self._root}.") from error
            raise BlobsUnavailable(
                f"The folder {self._root} of blobs cannot be used: {error.strerror or error}.",
                hint="See whether its disk is mounted, and whether your user may write there.",
            ) from error
