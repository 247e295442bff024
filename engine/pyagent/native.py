"""The compiled module `pyagent_core`, or a clear error where it is missing; nothing else imports it."""

from __future__ import annotations

from pyagent.errors import SetupError

try:
    from pyagent_core import (
        Engine,
        ScriptError,
        Vault,
        VaultError,
        analyse,
        attenuate_token,
        is_signed,
        parse_template,
        plain_path,
        seal_to,
        walk,
    )
except ImportError as error:
    raise SetupError(
        "the compiled part of PyAgent, pyagent_core, is not installed",
        code="setup.core_missing",
        hint="Run `make setup`; it needs cargo (https://rustup.rs).",
    ) from error

__all__ = [
    "Engine",
    "ScriptError",
    "Vault",
    "VaultError",
    "analyse",
    "attenuate_token",
    "is_signed",
    "parse_template",
    "plain_path",
    "seal_to",
    "walk",
]
