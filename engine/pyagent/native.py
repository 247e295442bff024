"""The compiled module `pyagent_core`, or a clear error where it is missing; nothing else imports it."""

from __future__ import annotations

from pyagent.errors import SetupError

try:
    from pyagent_core import (
        Blake3,
        CodecError,
        CoreFault,
        Counter,
        Engine,
        Histogram,
        Level,
        Levels,
        MemoryIndex,
        MemoryIndexError,
        MetricRegistry,
        MetricSnapshot,
        PayloadSeal,
        ScriptError,
        Vault,
        VaultError,
        _native,
        analyse,
        attenuate_token,
        blake3_hex,
        codec_describe,
        codec_pack,
        codec_pack_with,
        codec_unpack,
        codec_unpack_with,
        metric_bounds,
        parse_template,
        plain_path,
        seal_to,
        text_terms,
        walk,
    )
except ImportError as error:
    raise SetupError(
        "the compiled part of PyAgent, pyagent_core, is not installed",
        code="setup.core_missing",
        hint="Run `make setup`; it needs cargo (https://rustup.rs).",
    ) from error

NATIVE_PATH = _native.__file__
"""The module's file, for processes that load nothing else."""

__all__ = [
    "NATIVE_PATH",
    "Blake3",
    "CodecError",
    "CoreFault",
    "Counter",
    "Engine",
    "Histogram",
    "Level",
    "Levels",
    "MemoryIndex",
    "MemoryIndexError",
    "MetricRegistry",
    "MetricSnapshot",
    "PayloadSeal",
    "ScriptError",
    "Vault",
    "VaultError",
    "analyse",
    "attenuate_token",
    "blake3_hex",
    "codec_describe",
    "codec_pack",
    "codec_pack_with",
    "codec_unpack",
    "codec_unpack_with",
    "metric_bounds",
    "parse_template",
    "plain_path",
    "seal_to",
    "text_terms",
    "walk",
]
