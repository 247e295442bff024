"""The vault of this machine: where it is, how it is opened, and what its refusals mean."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from pyagent.errors import PyAgentError
from pyagent.settings import VAULT_PASSPHRASE, key_file, vault_file, witness_folder

if TYPE_CHECKING:
    from pyagent import native

T = TypeVar("T")

SEALED_PREFIX = "pas1_"
"""What sealed texts begin with."""
_SEALED_TEXT = b"pyagent sealed text 1"


class VaultFailed(PyAgentError):
    """The vault cannot do what was asked."""

    code = "vault.failed"


class VaultAbsent(VaultFailed):
    """There is no vault on this machine."""

    code = "vault.absent"
    hint = "Make one: `pyagent vault init`"


class VaultThere(VaultFailed):
    """There is a vault, or a key file, already."""

    code = "vault.exists"
    hint = "Nothing was changed. Move it away first, or set PYAGENT_VAULT to another path."


class VaultLocked(VaultFailed):
    """Passphrase or key file do not open the vault."""

    code = "vault.locked"
    hint = "Set PYAGENT_VAULT_PASSPHRASE, or PYAGENT_VAULT_KEY to its key file. Nobody can open it without."


class VaultDamaged(VaultFailed):
    """The vault's file is not what PyAgent has written."""

    code = "vault.damaged"
    hint = "Restore the file and its key file from a backup."


class VaultNewer(VaultFailed):
    """A newer version of PyAgent has written the vault."""

    code = "vault.newer"
    hint = "Use that version, or restore a backup from before."


class VaultOlder(VaultFailed):
    """An older file has taken the place of the vault: tokens that were revoked since would open again."""

    code = "vault.older"
    hint = (
        "Put the newer file back. If you have brought back a backup on purpose, remove the folder that the message"
        " names; tokens revoked since then are good again, unless you end all: `pyagent vault rotate --owner`."
    )


class VaultBusy(VaultFailed):
    """Another process writes the vault, and does not end."""

    code = "vault.busy"
    hint = "Try again; look for a `pyagent` process that hangs."


class VaultChanged(VaultFailed):
    """Somebody else has set the secret meanwhile."""

    code = "vault.changed"
    hint = "Try again."


class VaultExposed(VaultFailed):
    """The key file can be read by other users."""

    code = "vault.exposed"
    hint = "Make it private (`chmod 600`), and `pyagent vault rotate`: its key may be known."


class VaultInvalid(VaultFailed):
    """What was given breaks a rule of the vault."""

    code = "vault.invalid"
    hint = "See `pyagent vault --help`."


class TokenRefused(VaultFailed):
    """The token is none, or was not made by the owner of this vault."""

    code = "vault.token"
    hint = "Ask the server's owner for one: `pyagent token new`"


class TokenExpired(TokenRefused):
    """The token's time is over."""

    code = "vault.token_expired"


class TokenRevoked(TokenRefused):
    """The token was revoked."""

    code = "vault.token_revoked"


_BY_KIND: Mapping[str, type[VaultFailed]] = {
    "locked": VaultLocked,
    "damaged": VaultDamaged,
    "newer": VaultNewer,
    "older": VaultOlder,
    "exists": VaultThere,
    "missing": VaultAbsent,
    "busy": VaultBusy,
    "changed": VaultChanged,
    "exposed": VaultExposed,
    "invalid": VaultInvalid,
    "token": TokenRefused,
    "expired": TokenExpired,
    "revoked": TokenRevoked,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Secret:
    """What is known of a secret without opening it."""

    name: str
    kind: str
    fields: tuple[str, ...]
    """Names of its fields."""
    version: int
    """How often it was set."""
    made: datetime
    changed: datetime
    used: datetime | None
    """When a run or webhook read it last, to within ten minutes; None: never."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuedToken:
    """A token that was handed out; its text is kept nowhere."""

    id: str
    label: str
    capabilities: tuple[str, ...]
    made: datetime
    expires: datetime
    revoked: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenGrant:
    """What a token allows now."""

    ids: tuple[str, ...]
    """Of the token, and of those that it was made from, the first first."""
    capabilities: frozenset[str]
    graphs: frozenset[str] | None
    """With which graphs; None: all."""
    expires: datetime
    label: str


class Vault:
    """A vault that is open. Its methods raise `VaultFailed`; they may wait for a file, or for another writer."""

    def __init__(self, inner: native.Vault, path: Path) -> None:
        self._inner = inner
        self.path = path

    def put(self, name: str, kind: str, fields: Mapping[str, str], *, after: int | None = None) -> int:
        """Set a secret; returns its version. `after`: the version that it must have (0: there is none). Raises
        `VaultChanged` where it has another."""
        return _told(lambda: self._inner.put(name.lower(), kind, dict(fields), _now(), after))

    def get(self, name: str) -> dict[str, str] | None:
        """A secret's fields; None where there is none of that name, whatever its capitals."""
        if not any(found[0] == name.lower() for found in _told(self._inner.entries)):
            return None
        return _told(lambda: self._inner.get(name.lower()))

    def secrets(self) -> list[Secret]:
        """All secrets, by name."""
        return [
            Secret(
                name=name,
                kind=kind,
                fields=tuple(fields),
                version=version,
                made=_moment(made),
                changed=_moment(changed),
                used=_moment(used) if used else None,
            )
            for name, kind, fields, version, made, changed, used in _told(self._inner.entries)
        ]

    def values(self) -> list[dict[str, str]]:
        """The fields of all secrets, and those that they had before: what nothing may say."""
        return [fields for _, fields in _told(self._inner.values)]

    def remove(self, name: str) -> bool:
        """Take a secret out with all that is known of it; whether it was there."""
        return _told(lambda: self._inner.remove(name.lower()))

    def touch(self, name: str) -> None:
        """Note that a secret was used."""
        _told(lambda: self._inner.touch(name.lower(), _now()))

    def rotate(self) -> int:
        """Seal everything anew under a new key, and give a key file a new key; returns the key's generation."""
        return _told(lambda: self._inner.rotate(_now()))

    def protect(self, passphrase: str | None) -> int:
        """The same, and from now on this passphrase opens it, or without one a key file."""
        return _told(lambda: self._inner.protect(_bytes(passphrase), key_file(), _now()))

    def generation(self) -> tuple[int, datetime]:
        """The generation of the key, and when that was made."""
        number, made = _told(self._inner.generation)
        return number, _moment(made)

    @property
    def has_passphrase(self) -> bool:
        """Whether a passphrase opens it; else a key file does."""
        return _told(self._inner.has_passphrase)

    def owner(self) -> str:
        """The owner's public key for signatures, as hexadecimal digits."""
        return _told(self._inner.identity)[0].hex()

    def recipient(self) -> str:
        """The owner's public key that others seal texts to (`seal_text`), as hexadecimal digits."""
        return _told(self._inner.identity)[1].hex()

    def unseal_text(self, sealed: str) -> bytes:
        """What `seal_text` has sealed to this vault's owner. Raises `VaultLocked`, `VaultInvalid`."""
        if not sealed.startswith(SEALED_PREFIX):
            raise VaultInvalid(f"that is no sealed text: it does not begin with {SEALED_PREFIX}")
        try:
            given = sealed.removeprefix(SEALED_PREFIX)
            taken = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise VaultInvalid("that is no sealed text, or a part of it is missing") from None
        try:
            return _told(lambda: self._inner.open_sealed(_SEALED_TEXT, taken))
        except VaultLocked as error:
            raise VaultLocked(
                error.message, hint="It was sealed to another vault's key, or to the one before `rotate --owner`."
            ) from None

    def payload_seal(self) -> native.PayloadSeal:
        """What seals payloads of stores with this vault's data keys."""
        return _told(self._inner.payload_seal)

    def renew_owner(self) -> None:
        """Give the owner new keys: all tokens end."""
        _told(self._inner.renew_identity)

    def issue(
        self, *, label: str, capabilities: set[str], graphs: set[str] | None, expires: datetime
    ) -> tuple[str, str]:
        """Make a token; returns its text, which is kept nowhere, and its id."""
        return _told(lambda: self._inner.issue(label, capabilities, graphs, int(expires.timestamp()), _now()))

    def tokens(self) -> list[IssuedToken]:
        """The tokens that were handed out."""
        return [
            IssuedToken(
                id=id,
                label=label,
                capabilities=tuple(capabilities),
                made=_moment(made),
                expires=_moment(expires),
                revoked=_moment(revoked) if revoked else None,
            )
            for id, label, capabilities, made, expires, revoked in _told(self._inner.tokens)
        ]

    def revoke(self, token_id: str) -> bool:
        """Revoke a token and all that were made from it; whether its id was known here."""
        return _told(lambda: self._inner.revoke(token_id, _now()))

    def verify(self, text: str) -> TokenGrant:
        """What a token allows now. Raises `TokenRefused`."""
        ids, capabilities, graphs, expires, label = _told(lambda: self._inner.verify(text, _now()))
        return TokenGrant(
            ids=tuple(ids),
            capabilities=frozenset(capabilities),
            graphs=None if graphs is None else frozenset(graphs),
            expires=_moment(expires),
            label=label,
        )


_opened: dict[tuple[Path, Path, str | None], Vault] = {}
"""Vaults that this process has open, by what the settings say: a passphrase is tried once, that is dear."""


def make_vault(passphrase: str | None = None) -> Vault:
    """Make the vault: opened by a passphrase, or without one by a new key file. Raises `VaultThere`, `VaultInvalid`."""
    from pyagent import native

    path = vault_file()
    inner = _told(lambda: native.Vault.create(path, _bytes(passphrase), key_file(), witness_folder(), _now()))
    return _kept(Vault(inner, path))


def open_vault(ask: Callable[[], str] | None = None) -> Vault | None:
    """The vault, opened by its key file, by PYAGENT_VAULT_PASSPHRASE, or by what `ask` returns; None: there is none.

    Raises `VaultFailed`: `VaultLocked` where nothing opens it.
    """
    path = vault_file()
    if not path.exists():
        return None
    if (found := _opened.get(_here())) is not None:
        return found
    from pyagent import native

    passphrase = VAULT_PASSPHRASE.given()
    if not _told(lambda: native.Vault.needs_passphrase(path)):
        passphrase = None
    elif passphrase is None and ask is not None:
        passphrase = ask()
    if passphrase is None:
        try:
            inner = native.Vault.open(path, None, key_file(), witness_folder())
        except native.VaultError as error:
            if error.args[0] == "missing":
                raise VaultLocked(f"the vault {path} is there, but its key file {key_file()} is not") from None
            _raise(error)
        return _kept(Vault(inner, path))
    given = passphrase
    inner = _told(lambda: native.Vault.open(path, _bytes(given), key_file(), witness_folder()))
    return _kept(Vault(inner, path))


def require_vault(ask: Callable[[], str] | None = None) -> Vault:
    """The vault. Raises what `open_vault` raises, and `VaultAbsent`."""
    if (found := open_vault(ask)) is None:
        raise VaultAbsent(f"there is no vault at {vault_file()}")
    return found


def narrow_token(
    text: str, *, label: str, capabilities: set[str] | None, graphs: set[str] | None, expires: datetime | None
) -> str:
    """A token that allows less than this one; what is None stays as it is. Raises `TokenRefused`, `VaultInvalid`."""
    from pyagent import native

    end = None if expires is None else int(expires.timestamp())
    return _told(lambda: native.attenuate_token(text, label, capabilities, graphs, end))


def seal_text(recipient: str, content: bytes) -> str:
    """Seal something to the owner of a vault, whose public key `Vault.recipient` gives: a text that can go anywhere.

    Raises `VaultInvalid` for what is no key.
    """
    from pyagent import native

    try:
        key = bytes.fromhex(recipient)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise VaultInvalid(
            "a public key has 64 hexadecimal digits", hint="Its owner gets it: `pyagent vault public-key`"
        )
    sealed = _told(lambda: native.seal_to(key, _SEALED_TEXT, content))
    return SEALED_PREFIX + base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _kept(vault: Vault) -> Vault:
    _opened[_here()] = vault
    return vault


def _here() -> tuple[Path, Path, str | None]:
    return vault_file(), key_file(), VAULT_PASSPHRASE.given()


def _bytes(passphrase: str | None) -> bytes | None:
    return None if passphrase is None else passphrase.encode("utf-8", "surrogateescape")


def _told(call: Callable[[], T]) -> T:
    """What the call returns; what the compiled module refuses becomes an error of ours."""
    from pyagent import native

    try:
        return call()
    except native.VaultError as error:
        _raise(error)


def _raise(error: native.VaultError) -> NoReturn:
    kind, message = error.args
    raise _BY_KIND.get(kind, VaultFailed)(message) from None


def _now() -> int:
    return int(time.time())


def _moment(seconds: int) -> datetime:
    # What is revoked without being known has no end that a date could say.
    return datetime.fromtimestamp(min(seconds, 253402300799), UTC)
