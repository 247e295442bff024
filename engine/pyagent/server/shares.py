"""Links by which somebody without a login may look at one run: kept beside the server's token, until they are revoked.

A link says which one it is and carries a signature made from the server's token; what it opens, and until when, is in
the file. So a link that was revoked opens nothing, and a new token ends all of them.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from pyagent.errors import SetupError


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """One link."""

    id: str
    run: str
    data: bool
    """It shows items, inputs and outputs."""
    actor: str
    created_at: datetime
    expires_at: datetime


def shares_file(token_file: Path) -> Path:
    """Where the links of the server with this token are."""
    return token_file.parent / "server-shares.json"


class Shares:
    """The links that were given away and not revoked. For any thread, and for several servers with one file."""

    def __init__(self, path: Path | None = None, *, clock: Callable[[], datetime] = partial(datetime.now, UTC)) -> None:
        """Without a `path` they end with the process."""
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, Share] = {}

    def add(self, run: str, *, expires_in: timedelta, data: bool, actor: str) -> Share:
        """Make a link. Raises `SetupError` (`server.shares`) if it cannot be kept."""
        now = self._clock().replace(microsecond=0)
        share = Share(
            id=secrets.token_hex(12), run=run, data=data, actor=actor, created_at=now, expires_at=now + expires_in
        )
        with self._writing():
            kept = self._read()
            kept[share.id] = share
            self._write(kept)
        return share

    def get(self, id: str) -> Share | None:
        """The link, if it opens anything now."""
        # What is kept is replaced as a whole, so a reader waits for no writer.
        found = self._read().get(id)
        return found if found is not None and found.expires_at > self._clock() else None

    def of_run(self, run: str) -> list[Share]:
        """The run's links that open it now, the oldest first."""
        kept = self._read()
        now = self._clock()
        found = [share for share in kept.values() if share.run == run and share.expires_at > now]
        return sorted(found, key=lambda share: (share.created_at, share.id))

    def revoke(self, run: str, id: str | None = None) -> int:
        """End a link to a run, or all of them; how many there were."""
        with self._writing():
            kept = self._read()
            gone = [share.id for share in kept.values() if share.run == run and id in (None, share.id)]
            for each in gone:
                del kept[each]
            if gone:
                self._write(kept)
        return len(gone)

    @contextmanager
    def _writing(self) -> Generator[None]:
        """One writer at a time, among all servers with the file: else a link that one has revoked comes back with what
        the other writes. Raises `SetupError` (`server.shares`)."""
        with self._lock:
            if self._path is None:
                yield
                return
            try:
                descriptor = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise _unusable(self._path, error) from None
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)

    def _read(self) -> dict[str, Share]:
        if self._path is None:
            return dict(self._kept)
        try:
            found: dict[str, dict[str, Any]] = json.loads(self._path.read_text(encoding="utf-8"))
            return {
                id: Share(
                    id=id,
                    run=str(one["run"]),
                    data=bool(one["data"]),
                    actor=str(one["actor"]),
                    created_at=datetime.fromisoformat(one["created_at"]),
                    expires_at=datetime.fromisoformat(one["expires_at"]),
                )
                for id, one in found.items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _unusable(self._path, error) from None

    def _write(self, kept: dict[str, Share]) -> None:
        now = self._clock()
        kept = {id: share for id, share in kept.items() if share.expires_at > now}
        if self._path is None:
            self._kept = kept
            return
        told = {
            id: {name: value.isoformat() if isinstance(value, datetime) else value for name, value in one.items()}
            for id, one in ((id, asdict(share)) for id, share in kept.items())
        }
        try:
            # It appears whole or not at all, and private from its first moment.
            descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=".shares-")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(told, file)
                file.flush()
                # What was revoked stays so after a power cut.
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except OSError as error:
            raise _unusable(self._path, error) from None


def _unusable(path: Path, error: Exception) -> SetupError:
    return SetupError(
        f"the links to runs cannot be kept in {path}: {error}",
        code="server.shares",
        hint="Make the file readable and writable, or delete it: that revokes all links.",
    )


__all__ = ["Share", "Shares", "shares_file"]
