"""Which values are secret when a run leaves this machine: credentials of environment and vault, passwords of settings,
inputs marked as such."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from pyagent.graph.spec import GraphSpec
from pyagent.runtime.log import Entry
from pyagent.runtime.run_cleaning import texts_in
from pyagent.settings import AWS, CREDENTIAL, STORE, VAULT_PASSPHRASE
from pyagent.vault import VaultFailed, open_vault

_KEYS_TO_BLOBS = ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")


def secrets_here() -> list[str]:
    """The values of all credentials of this process and its vault, older ones too, the password of its store, and
    the keys to its blobs.

    Those of a vault that cannot be opened here are not among them: `unknown_credentials` tells.
    """
    found: list[str] = []
    for name, value in os.environ.items():
        if not name.startswith(CREDENTIAL.name) or not value:
            continue
        found.append(value)
        with suppress(ValueError):
            fields = json.loads(value)
            found += texts_in(fields)
            if isinstance(fields, dict):
                found += _logins(cast("dict[str, Any]", fields))
    with suppress(ValueError):
        password = urlsplit(STORE.text()).password
        found += [password, unquote(password)] if password else []
    found += [passphrase] if (passphrase := VAULT_PASSPHRASE.given()) else []
    for fields in _in_vault():
        found += [*fields.values(), *_logins(fields)]
    return found + [key for name in _KEYS_TO_BLOBS if (key := AWS.given(name))]


def _in_vault() -> list[dict[str, str]]:
    with suppress(VaultFailed):
        if (vault := open_vault()) is not None:
            return vault.values()
    return []


def _logins(fields: Mapping[str, Any]) -> list[str]:
    """Users with their passwords, as a request's header says them."""
    user, password = fields.get("user", fields.get("username")), fields.get("password")
    if not isinstance(user, str) or not isinstance(password, str):
        return []
    return [base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogatepass")).decode()]


def credentials_of(specs: Iterable[GraphSpec]) -> set[str]:
    """Names of the credentials that the nodes of these graphs ask for, where no expression says so."""
    return {name for spec in specs for place in spec.places() for name in _named(place.node.params)}


def _named(params: Any) -> list[str]:
    if isinstance(params, list):
        return [name for part in cast("list[Any]", params) for name in _named(part)]
    if not isinstance(params, dict):
        return []
    fields = cast("dict[str, Any]", params)
    own = fields.get("credential")
    inner = [name for part in fields.values() for name in _named(part)]
    return [own, *inner] if isinstance(own, str) and own and "{{" not in own else inner


def unknown_credentials(specs: Iterable[GraphSpec]) -> list[str]:
    """Those that this process has not: their values cannot be recognized here."""
    known: set[str] = set()
    with suppress(VaultFailed):
        if (vault := open_vault()) is not None:
            known = {secret.name for secret in vault.secrets()}
    return sorted(
        name for name in credentials_of(specs) if name.lower() not in known and not CREDENTIAL.given(name.upper())
    )


def secret_inputs(spec: GraphSpec) -> list[str]:
    """The inputs that their JSON Schema marks as secret: `writeOnly: true`, `format: password` or `secret: true`."""
    return [
        name
        for name, schema in spec.inputs.items()
        if schema.get("writeOnly") is True or schema.get("secret") is True or schema.get("format") == "password"
    ]


def values_of_secret_inputs(
    specs: Mapping[str, GraphSpec], root: str, inputs: Mapping[str, Any], entries: Sequence[Entry]
) -> list[str]:
    """What the run, and the graphs that it called, were given for such inputs. `specs`: by hash."""
    found = _values(specs[root], inputs)
    for entry in entries:
        if entry.kind == "run.started":
            found += _values(specs[root], entry.data.get("inputs", {}))
        elif (called := specs.get(entry.called_graph or "")) is not None:
            for items in (entry.outputs or {}).values():
                for item in items:
                    found += _values(called, item.json)
            found += _values(called, entry.data.get("inputs", {}))
    return found


def _values(spec: GraphSpec, inputs: Mapping[str, Any]) -> list[str]:
    return [text for name in secret_inputs(spec) if name in inputs for text in texts_in(inputs[name])]


def without_secret_inputs(spec: GraphSpec, inputs: Mapping[str, Any], mask: str) -> dict[str, Any]:
    """The inputs with those that are secret masked, however short they are."""
    hidden = set(secret_inputs(spec))
    return {name: mask if name in hidden else value for name, value in inputs.items()}


__all__ = [
    "credentials_of",
    "secret_inputs",
    "secrets_here",
    "unknown_credentials",
    "values_of_secret_inputs",
    "without_secret_inputs",
]
