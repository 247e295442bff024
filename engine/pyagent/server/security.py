"""Who may talk to the server: a token, links that work once, a cookie made from the token, and capabilities.

The token lies in a file that only its owner can read. A browser gets in by a one-time link, which it exchanges for a
cookie; programs send the token as `Authorization: Bearer …`. Nothing here is kept in the store.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
import time
from pathlib import Path

from pyagent.errors import SetupError

LINK_SECONDS = 3600
SESSION_SECONDS = 90 * 24 * 3600


def token_file(store_file: Path) -> Path:
    """Where the token of the server on this store is."""
    return store_file.parent / "server-token"


def read_token(path: Path) -> str:
    """The token, made at the first start. Raises `SetupError` (`server.token`)."""
    try:
        found = path.read_text(encoding="ascii").strip()
        if len(found) >= 32:
            path.chmod(0o600)
            return found
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from None
    token = secrets.token_urlsafe(32)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # mkstemp makes the file private from its first moment; the link makes it appear whole, or not at all.
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".token-")
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token + "\n")
        if path.exists():
            Path(name).replace(path)
            return token
        try:
            os.link(name, path)
        except FileExistsError:
            # Another server was first; its token holds.
            return path.read_text(encoding="ascii").strip()
        finally:
            Path(name).unlink()
    except OSError as error:
        raise _unusable(path, error) from None
    return token


def _unusable(path: Path, error: Exception) -> SetupError:
    return SetupError(
        f"the server's token cannot be kept in {path}: {error}",
        code="server.token",
        hint="Make the folder writable, or set PYAGENT_STORE to a place that is.",
    )


class Keys:
    """Everything that opens the server's doors, all derived from the token."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._links: dict[str, float] = {}

    def is_token(self, given: str) -> bool:
        """Whether it is the token."""
        return hmac.compare_digest(given.encode(), self._token.encode())

    # links that work once

    def new_link(self) -> str:
        """A code that opens the page once, within the hour."""
        now = time.monotonic()
        self._links = {code: end for code, end in self._links.items() if end > now}
        code = secrets.token_urlsafe(24)
        self._links[code] = now + LINK_SECONDS
        return code

    def use_link(self, code: str) -> bool:
        """Whether the code was good; it is not any more."""
        return self._links.pop(code, 0.0) > time.monotonic()

    # the browser's cookie: it outlives the server's process, so that a restart logs nobody out

    def new_session(self) -> str:
        """The value of a session cookie."""
        end = str(int(time.time()) + SESSION_SECONDS)
        nonce = secrets.token_urlsafe(8)
        return f"{end}.{nonce}.{self._sign('session', end, nonce)}"

    def is_session(self, cookie: str) -> bool:
        """Whether the cookie is one of ours and has not expired."""
        end, _, rest = cookie.partition(".")
        nonce, _, signature = rest.partition(".")
        with contextlib.suppress(ValueError):
            return hmac.compare_digest(signature, self._sign("session", end, nonce)) and int(end) > time.time()
        return False

    # a report's address carries its own key: its pages come from elsewhere and must not see the cookie

    def report_key(self, run_id: str) -> str:
        """The key in the address of a run's report."""
        return self._sign("report", run_id)[:32]

    def is_report_key(self, run_id: str, key: str) -> bool:
        """Whether the key opens the run's report."""
        return hmac.compare_digest(key.encode(), self.report_key(run_id).encode())

    # so does a form's: whoever is sent it may answer that one question

    def form_key(self, run_id: str, step: str, wait: str) -> str:
        """The key in the address of a form: 32 characters for the step, 32 for the one wait of it."""
        return self._sign("form", run_id, step)[:32] + self._sign("wait", run_id, step, wait)[:32]

    # and a shared run's: whoever has it may look at that run until the link ends

    def share_key(self, share: str, run_id: str) -> str:
        """The key in the address of a shared run."""
        return self._sign("share", share, run_id)[:40]

    def is_share_key(self, share: str, run_id: str, key: str) -> bool:
        """Whether the key opens the shared run."""
        return hmac.compare_digest(key.encode(), self.share_key(share, run_id).encode())

    def _sign(self, *parts: str) -> str:
        return hmac.new(self._token.encode(), "\0".join(parts).encode(), hashlib.sha256).hexdigest()
