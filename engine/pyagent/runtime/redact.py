"""Keeps secrets out of logs and events: known values, and what looks like a credential."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

from pyagent.errors import PyAgentError

MASK = "••••"

_SHAPES = re.compile(
    r"(?P<keep>\b(?:authorization|api[_-]?key|token|secret|password|passwd)\b\s*[:=]\s*(?:bearer\s+)?)[^\s,;\"']{6,}"
    r"|\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}"
    r"|\bAKIA[0-9A-Z]{16}\b"
    r"|(?P<user>://[^\s/:@]+:)[^\s/@]+(?=@)",
    re.IGNORECASE,
)


def redact(value: Any, secrets: Sequence[str] = ()) -> Any:
    """The value with each secret, and each string that looks like one, masked."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
        return _SHAPES.sub(lambda found: (found["keep"] or found["user"] or "") + MASK, value)
    if isinstance(value, dict):
        return {name: redact(part, secrets) for name, part in cast(dict[str, Any], value).items()}
    if isinstance(value, list | tuple):
        return [redact(part, secrets) for part in cast(list[Any], value)]
    return value


def masked(error: PyAgentError, secrets: Sequence[str]) -> PyAgentError:
    """The error with the secrets in its words masked; the same object."""
    error.message = redact(error.message, secrets)
    error.args = (error.message,)
    error.hint = redact(error.hint, secrets)
    error.details = redact(error.details, secrets)
    return error
