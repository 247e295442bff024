"""PyAgent's compiled parts; `_native` is private to PyAgent's own runtime."""

from pyagent_core._native import (
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
