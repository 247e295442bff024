"""Credentials by name: from the environment, else from the vault; which graphs ask for them, and whether they work."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pyagent.errors import GraphError, InputError, NotFound, PyAgentError
from pyagent.graph.yaml import load_text
from pyagent.runtime.log import decode
from pyagent.runtime.redact import masked
from pyagent.runtime.run_secrets import credentials_of
from pyagent.sdk.credentials import GENERIC, CredentialKind, short_secrets
from pyagent.settings import CREDENTIAL
from pyagent.vault import Vault, VaultChanged, VaultFailed, open_vault

if TYPE_CHECKING:
    from pyagent.runtime.library import GraphLibrary
    from pyagent.store.base import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """What came of trying a credential."""

    works: bool | None
    """None: only its use can tell."""
    message: str
    """In a sentence, without a secret."""


def of_environment(name: str) -> dict[str, str] | None:
    """A credential's fields as the environment has them."""
    with suppress(ValueError):
        found = decode((CREDENTIAL.given(name.upper()) or "").encode())
        if isinstance(found, dict):
            return {str(key): str(value) for key, value in cast(dict[str, Any], found).items()}
    return None


def names_in_environment() -> list[str]:
    """The credentials that the environment has, in lower case."""
    names = (name for name, value in os.environ.items() if name.startswith(CREDENTIAL.name) and value)
    return sorted(name.removeprefix(CREDENTIAL.name).lower() for name in names)


async def read_credential(name: str) -> dict[str, str]:
    """A credential for a run or webhook. What is in the environment wins over what is in the vault.

    Raises `NotFound` (`credential.not_found`), and `VaultFailed` where the vault does not open.
    """
    if (found := of_environment(name)) is not None:
        return found
    if (found := await asyncio.to_thread(_used, name)) is not None:
        return found
    raise NotFound(
        f"there is no credential {name!r}",
        code="credential.not_found",
        hint=f"Put it into the vault (`pyagent vault set {name}`), or set the environment variable "
        f"{CREDENTIAL.name + name.upper()} to a JSON object with its fields.",
    )


def _used(name: str) -> dict[str, str] | None:
    vault = open_vault()
    if vault is None or (found := vault.get(name)) is None:
        return None
    # That it was used is worth a note, not a failed run.
    with suppress(VaultFailed):
        vault.touch(name)
    return found


def kind_named(kinds: Iterable[CredentialKind], name: str) -> CredentialKind:
    """The kind. Raises `InputError` (`input.credential`)."""
    by_name = {kind.name: kind for kind in kinds}
    if name not in by_name:
        raise InputError(
            f"there is no kind of credential {name!r}",
            code="input.credential",
            hint=f"Use one of: {', '.join(by_name)}.",
        )
    return by_name[name]


def put_credential(
    vault: Vault, kinds: Iterable[CredentialKind], name: str, kind: str, fields: Mapping[str, str | None]
) -> int:
    """Set a credential in the vault; a field that is None keeps its value. Returns its version.

    Raises `InputError` (`input.credential`) for fields that the kind has not, or secrets too short to be recognized.
    """
    chosen = kind_named(kinds, kind)
    while True:
        # What is kept and what is set are of one version: two who set different fields lose none of them.
        version = next((secret.version for secret in vault.secrets() if secret.name == name.lower()), 0)
        before = vault.get(name) or {}
        kept = {field: before.get(field, "") if value is None else value for field, value in fields.items()}
        given = {field: value for field, value in kept.items() if value}
        chosen.check(name, given)
        with suppress(VaultChanged):
            return vault.put(name, kind, given, after=version)


async def try_credential(name: str, kinds: Iterable[CredentialKind]) -> Tried:
    """Try a credential of the vault or the environment where it is meant to work.

    Raises `NotFound`, and `VaultFailed` where the vault does not open.
    """
    vault = await asyncio.to_thread(open_vault)
    fields = of_environment(name)
    secret = None
    if vault is not None:
        secret = next((found for found in vault.secrets() if found.name == name.lower()), None)
    if fields is None:
        fields = (await asyncio.to_thread(vault.get, name) if vault is not None else None) or await read_credential(
            name
        )
    kind = next((one for one in kinds if secret is not None and one.name == secret.kind), GENERIC)
    return await _tried(name, kind, fields)


async def try_fields(name: str, kind: str, fields: Mapping[str, str | None], kinds: Iterable[CredentialKind]) -> Tried:
    """Try a credential before it is set; a field that is None is as the vault has it. Nothing is kept.

    Raises `InputError` (`input.credential`) for an unknown kind, and `VaultFailed` where the vault does not open.
    """
    chosen = kind_named(kinds, kind)
    before: Mapping[str, str] = {}
    if None in fields.values():
        vault = await asyncio.to_thread(open_vault)
        before = (await asyncio.to_thread(vault.get, name) if vault is not None else None) or {}
    kept = {field: before.get(field, "") if value is None else value for field, value in fields.items()}
    return await _tried(name, chosen, {field: value for field, value in kept.items() if value})


async def _tried(name: str, kind: CredentialKind, fields: Mapping[str, str]) -> Tried:
    try:
        kind.check(name, fields)
        if kind.attempt is None:
            return Tried(works=None, message="its fields fit; only its use can tell whether it works")
        return Tried(works=True, message=await kind.attempt(fields))
    except PyAgentError as error:
        clean = masked(error, [value for value in fields.values() if len(value) >= 4])
        return Tried(works=False, message=f"{clean.message}. {clean.hint}".rstrip())


async def users_of_credentials(library: GraphLibrary, store: Store | None) -> dict[str, list[str]]:
    """Ids of the graphs that ask for each credential, as files say them and as versions that are active.

    Found by reading, not by running: a name that an expression computes is not seen.
    """
    found: dict[str, set[str]] = {}
    specs = [graph.spec for graph in await asyncio.to_thread(lambda: list(library.files()))]
    if store is not None:
        for activation in await store.activations():
            with suppress(GraphError, NotFound):
                specs.append(load_text((await store.get_graph(activation.graph_hash)).text).spec)
    for spec in specs:
        for name in credentials_of([spec]):
            found.setdefault(name.lower(), set()).add(spec.id)
    return {name: sorted(graphs) for name, graphs in sorted(found.items())}


def short_in_environment() -> list[str]:
    """Credentials of the environment with a secret that is too short to be recognized, as `name.field`."""
    return [f"{name}.{field}" for name in names_in_environment() for field in short_secrets(of_environment(name) or {})]


__all__ = [
    "Tried",
    "kind_named",
    "names_in_environment",
    "of_environment",
    "put_credential",
    "read_credential",
    "short_in_environment",
    "try_credential",
    "try_fields",
    "users_of_credentials",
]
