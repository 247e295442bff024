"""Blobs in an object store that speaks S3, by way of obstore (`pyagent[s3]`).

Credentials, region and endpoint are what the usual variables say (`AWS_…`), read by obstore. Its errors tell requests
and answers whole, with key ids in them: ours are made of the answer's status and code alone.
"""

from __future__ import annotations

import contextlib
import errno
import re
import threading
from collections import OrderedDict
from collections.abc import Generator, Iterator, Sequence
from datetime import timedelta
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import urlsplit

from pyagent.settings import AWS, shown_address
from pyagent.store import chunks
from pyagent.store.base import StoreFull
from pyagent.store.blobs import DIGEST_LENGTH, blob_missing, check_digest, does_not_fit
from pyagent.store.outside import BlobsRefused, BlobsUnavailable, new_name

if TYPE_CHECKING:
    from obstore.store import S3Store

PART = 8 * 1024 * 1024
"""Bytes that are sent at a time; what is smaller goes in one request."""
RETRY_SECONDS = 20.0
"""How long a request is tried again when there is no answer, or one that may pass."""
_MOST_PARTS = 9000
"""S3 takes 10,000 parts."""
_AT_ONCE = 3
"""Parts that are on their way at one time."""
_INDEXES = 64
"""Indexes of objects that are remembered, some kilobytes each: objects never change."""
_SIMPLE_HOSTS = ("localhost", "127.0.0.1", "::1")


class ObjectPlace:
    """A prefix in a bucket."""

    def __init__(self, address: str) -> None:
        """`address`: `s3://bucket/prefix`. Raises `BlobsUnavailable` if obstore is not installed."""
        self.address = address
        self._bucket, _, self._prefix = address.removeprefix("s3://").partition("/")
        self._lock = threading.Lock()
        self._indexes: OrderedDict[str, chunks.Index] = OrderedDict()
        self._store = self._connected()

    def make(self) -> None:
        """Nothing: a prefix is there."""

    def unmake(self) -> None:
        """Nothing."""

    def put(self, source: BinaryIO) -> tuple[str, int, str]:
        """See `BlobPlace`. The content goes through a temporary file: its name is known at its end."""
        import obstore

        with SpooledTemporaryFile(max_size=PART) as spool:
            file = cast("BinaryIO", spool)
            digest, size = _spooled(source, file)
            name, length = new_name(digest), file.tell()
            file.seek(0)
            with self._translated():
                if length <= PART:
                    obstore.put(self._store, _key(name), file.read(), use_multipart=False)
                else:
                    part = max(PART, -(-length // _MOST_PARTS))
                    parts = iter(lambda: file.read(part), b"")
                    obstore.put(
                        self._store, _key(name), parts, use_multipart=True, chunk_size=part, max_concurrency=_AT_ONCE
                    )
        return digest, size, name

    def read(self, name: str) -> bytes:
        """See `BlobPlace`."""
        import obstore

        with self._translated(name):
            kept = _Whole(obstore.get(self._store, _key(name)).bytes().to_bytes())
        with _checked(name):
            content = chunks.read(kept, chunks.index_of(kept), 0, None)
        check_digest(name[:DIGEST_LENGTH], content)
        return content

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """See `BlobPlace`. One request, and one more for the first range of an object."""
        pieces = _Ranges(self, name)
        with _checked(name):
            index = self._indexes.get(name) or chunks.index_of(pieces)
            with self._lock:
                self._indexes[name] = index
                self._indexes.move_to_end(name)
                if len(self._indexes) > _INDEXES:
                    self._indexes.popitem(last=False)
            return chunks.read(pieces, index, start, end)

    def tail_of(self, name: str, count: int) -> tuple[bytes, int]:
        """The last bytes of an object, and its length."""
        import obstore

        with self._translated(name):
            found = obstore.get(self._store, _key(name), options={"range": {"suffix": count}})
            return found.bytes().to_bytes(), found.meta["size"]

    def piece_of(self, name: str, start: int, end: int) -> bytes:
        """A piece of an object."""
        import obstore

        with self._translated(name):
            return obstore.get_range(self._store, _key(name), start=start, end=end).to_bytes()

    def remove(self, names: Sequence[str]) -> None:
        """See `BlobPlace`."""
        import obstore

        if names:
            with self._translated():
                obstore.delete(self._store, [_key(name) for name in names])

    def kept(self) -> Iterator[tuple[str, float]]:
        """See `BlobPlace`."""
        import obstore

        with self._translated():
            listed = cast("Any", obstore).list(self._store)  # its own annotations leave pages of another kind untyped
            for page in listed:
                for found in page:
                    yield found["path"].rpartition("/")[2], found["last_modified"].timestamp()

    def remove_leftovers(self, older_than: float) -> None:
        """Nothing: uploads that were cut short cannot be listed with obstore. A rule of the bucket removes them."""

    def _connected(self) -> S3Store:
        try:
            from obstore.store import S3Store
        except ImportError as error:
            raise BlobsUnavailable(
                f"Blobs at {self.address} need the package obstore, which is not installed.",
                hint="pip install 'pyagent[s3]'",
            ) from error
        endpoint = self._endpoint()
        try:
            return S3Store(
                self._bucket,
                prefix=self._prefix or None,
                client_options={
                    # Without TLS only on this machine, unless AWS_ALLOW_HTTP says so.
                    "allow_http": (AWS.given("ALLOW_HTTP") or "").lower() in ("1", "true", "yes")
                    or urlsplit(endpoint).hostname in _SIMPLE_HOSTS,
                    "connect_timeout": timedelta(seconds=5),
                    "timeout": timedelta(minutes=2),
                },
                retry_config={
                    "max_retries": 20,
                    "retry_timeout": timedelta(seconds=RETRY_SECONDS),
                    "backoff": {"max_backoff": timedelta(seconds=2)},
                },
            )
        except Exception as error:
            raise self._as_ours(error) from None

    @staticmethod
    def _endpoint() -> str:
        return AWS.given("ENDPOINT_URL_S3") or AWS.given("ENDPOINT_URL") or AWS.given("ENDPOINT") or ""

    @contextlib.contextmanager
    def _translated(self, name: str = "") -> Generator[None]:
        """obstore's errors as ours; `name`: of the object that is read."""
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError as error:
            if name and _code_of(error) != "NoSuchBucket":
                raise blob_missing(name[:DIGEST_LENGTH], self.address) from None
            raise self._as_ours(error) from None
        except (BaseError, OSError, ValueError) as error:
            raise self._as_ours(error) from None

    def _as_ours(self, error: Exception) -> BlobsUnavailable:
        text, code = str(error), _code_of(error)
        endpoint = self._endpoint()
        where = self.address + (f" at {shown_address(endpoint)}" if endpoint else "")
        if "/latest/api/token" in text or "/latest/meta-data" in text:
            return BlobsRefused(f"There are no credentials for {where}.")
        found = re.search(r"status code: (\d{3})", text)
        status = found[1] if found else ""
        if code == "NoSuchBucket":
            return BlobsRefused(f"There is no bucket {self._bucket} at {where}.")
        if status in ("301", "400", "401", "403") or type(error).__name__ in (
            "PermissionDeniedError",
            "UnauthenticatedError",
        ):
            return BlobsRefused(
                f"{where} refuses: {code or 'status ' + status}.", details={"status": status, "server_code": code}
            )
        if status:
            return BlobsUnavailable(
                f"{where} cannot do that now: {code or 'status ' + status}.",
                details={"status": status, "server_code": code},
            )
        if "BadScheme" in text:
            return BlobsUnavailable(
                f"{where} is not reached without TLS.",
                hint="Give AWS_ENDPOINT_URL an https:// address; AWS_ALLOW_HTTP=true lets blobs go in the clear.",
            )
        return BlobsUnavailable(f"{where} cannot be reached.")


def _spooled(source: BinaryIO, file: BinaryIO) -> tuple[str, int]:
    try:
        return chunks.write(source, file)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StoreFull(
            "No space is left for the temporary file that a blob goes through.",
            hint="Free some space, or name another folder for what is temporary by TMPDIR.",
        ) from error


def _key(name: str) -> str:
    return f"{name[:2]}/{name}"


def _code_of(error: Exception) -> str:
    """The code in a server's answer, such as `NoSuchBucket`."""
    found = re.search(r"<Code>(\w{1,60})</Code>", str(error))
    return found[1] if found else ""


@contextlib.contextmanager
def _checked(name: str) -> Generator[None]:
    try:
        yield
    except ValueError as error:
        raise does_not_fit(name[:DIGEST_LENGTH], 0) from error


class _Whole:
    """All of an object, in memory."""

    def __init__(self, kept: bytes) -> None:
        self._kept = kept

    def tail(self, count: int) -> tuple[bytes, int]:
        return self._kept[-count:], len(self._kept)

    def piece(self, start: int, end: int) -> bytes:
        return self._kept[start:end]


class _Ranges:
    """An object, of which ranges are asked for."""

    def __init__(self, place: ObjectPlace, name: str) -> None:
        self._place = place
        self._name = name

    def tail(self, count: int) -> tuple[bytes, int]:
        return self._place.tail_of(self._name, count)

    def piece(self, start: int, end: int) -> bytes:
        return self._place.piece_of(self._name, start, end)
