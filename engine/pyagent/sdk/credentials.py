"""Kinds of credentials: which fields one has, which of them are secret, and how to try whether it works.

A package of nodes tells its kinds in a module `_credentials`, as `KINDS`: a sequence of `CredentialKind`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from pyagent.errors import InputError

SHORTEST = 4
"""Characters of the shortest secret: shorter ones stand in every text, so that nothing could be cleaned of them."""

CredentialTry = Callable[[Mapping[str, str]], Awaitable[str]]
"""Tries a credential's fields; returns what came of it in a sentence, and raises a `PyAgentError` where they fail."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CredentialField:
    """One field of a kind of credential; its value is always a text."""

    name: str
    description: str
    secret: bool = False
    """It is never shown, and has at least 4 characters."""
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CredentialKind:
    """What credentials of one kind have in common."""

    name: str
    """Stable, as `http_bearer`."""
    title: str
    fields: tuple[CredentialField, ...]
    attempt: CredentialTry | None = None
    """How to try one; None where only its use can tell."""

    @property
    def is_open(self) -> bool:
        """Whether it takes fields of any name."""
        return not self.fields

    def check(self, name: str, fields: Mapping[str, str]) -> None:
        """Raises `InputError` (`input.credential`) where the fields are none of this kind, or too short to be kept."""
        known = {field.name: field for field in self.fields}
        if not fields:
            raise _wrong(name, "has no fields", "Give at least one field with its value.")
        if not self.is_open and (unknown := sorted(fields.keys() - known.keys())):
            raise _wrong(
                name, f"has no field {', '.join(unknown)}: it is {self.name}", f"Its fields: {', '.join(known)}."
            )
        if missing := [field.name for field in self.fields if field.required and not fields.get(field.name)]:
            raise _wrong(name, f"lacks {', '.join(missing)}", f"{self.name} needs it.")
        for field, value in fields.items():
            of_kind = known.get(field)
            if of_kind is not None and of_kind.choices and value and value not in of_kind.choices:
                raise _wrong(name, f"says {field}: {value}", f"Use one of: {', '.join(of_kind.choices)}.")
            secret = of_kind.secret if of_kind is not None else field not in PLAIN
            if secret and value and len(value.strip()) < SHORTEST:
                raise _wrong(
                    name,
                    f"has a {field} of fewer than {SHORTEST} characters",
                    "So short a secret stands in any text: logs and exports could not be cleaned of it. Use a longer "
                    "one.",
                )


PLAIN = frozenset(
    {"user", "username", "name", "host", "hosts", "port", "security", "url", "from", "ca_file", "database", "region"}
)
"""Fields of credentials of no known kind that may be short, because they are no secrets."""
GENERIC = CredentialKind(name="generic", title="Any fields", fields=())
"""Takes fields of any name."""


def short_secrets(fields: Mapping[str, str]) -> list[str]:
    """The fields that hold a secret too short to be recognized anywhere."""
    return [name for name, value in fields.items() if name not in PLAIN and 0 < len(value.strip()) < SHORTEST]


def _wrong(name: str, what: str, hint: str) -> InputError:
    return InputError(f"the credential {name!r} {what}", code="input.credential", hint=hint)
