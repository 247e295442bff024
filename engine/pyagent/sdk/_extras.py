"""Packages that only some users need: imported when first used, or an error that says how to get them."""

from __future__ import annotations

import importlib
from typing import Any

from pyagent.errors import SetupError


def embeddings(name: str) -> Any:
    """A module of the extra `embeddings`. Raises `SetupError` (`setup.embeddings_missing`)."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SetupError(
            f"embedding with a model needs the package {name.partition('.')[0]}, which is not installed",
            code="setup.embeddings_missing",
            hint='Install the extra: pip install "pyagent[embeddings]" (onnxruntime, tokenizers, onnx, numpy).',
        ) from error
