"""Texts for the memory rows, and their vectors: `python -m bench.memory_texts [COUNT]` makes them once.

The texts are paragraphs of the docstrings and comments in the Python packages of this machine, 40 to 300 characters,
each once, in the order of their hashes; the vectors are MiniLM's. They are kept in the user's cache.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import subprocess
import sys
import sysconfig
import time
import warnings
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyagent.sdk.places import cache_folder, private_folder

WIDTH = 384
QUERIES = 300
"""Texts at the end that are asked for and not put in."""
USUAL = 20_000
"""Texts that are put in where nobody made more; embedding them takes a minute or two."""


@dataclass(frozen=True)
class Corpus:
    """Texts, and as many vectors of 32-bit floats in a row."""

    texts: list[str]
    vectors: bytes

    def vector(self, number: int) -> bytes:
        """A text's vector."""
        return self.vectors[number * WIDTH * 4 : (number + 1) * WIDTH * 4]

    def numbers(self, number: int) -> list[float]:
        """The same as numbers."""
        return array("f", self.vector(number)).tolist()

    def words(self, number: int) -> str:
        """What somebody who looks for the text might type."""
        return " ".join(self.texts[number].split()[:6])


def corpus(most: int) -> Corpus:
    """At most so many texts and `QUERIES` more; made first if there are none."""
    folder = _folder()
    if not (folder / "vectors").is_file():
        from extra_environment import EMBEDDINGS, extra_python

        subprocess.run([extra_python(*EMBEDDINGS), "-m", "bench.memory_texts", str(USUAL)], check=True)
    texts = json.loads((folder / "texts.json").read_text())
    count = min(most + QUERIES, len(texts))
    # The last are the questions, whatever the number before them.
    chosen = [*range(count - QUERIES), *range(len(texts) - QUERIES, len(texts))]
    whole = Corpus(texts, (folder / "vectors").read_bytes())
    return Corpus([texts[number] for number in chosen], b"".join(whole.vector(number) for number in chosen))


def _folder() -> Path:
    return private_folder(cache_folder() / "bench-memory")


def _paragraphs(source: str) -> Iterator[str]:
    block: list[str] = []
    for line in [*source.splitlines(), ""]:
        stripped = line.strip()
        if stripped.startswith("# "):
            block.append(stripped[2:])
        elif block:
            yield " ".join(block)
            block = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            yield from re.split(r"\n\s*\n", ast.get_docstring(node) or "")


def _collect() -> list[str]:
    found: dict[bytes, str] = {}
    for root in (sysconfig.get_path("purelib"), sysconfig.get_path("stdlib")):
        for path in sorted(Path(root).rglob("*.py")):
            try:
                paragraphs = list(_paragraphs(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, SyntaxError, RecursionError):
                continue
            for paragraph in paragraphs:
                text = " ".join(paragraph.split())
                if 40 <= len(text) <= 300 and sum(map(str.isalpha, text)) > len(text) * 0.6:
                    found.setdefault(hashlib.sha256(text.encode()).digest(), text)
    return [found[digest] for digest in sorted(found)]


def make(count: int) -> None:
    """Write the texts and their vectors."""
    from pyagent.sdk.embedding import BATCH, embedder

    texts = _collect()[: count + QUERIES]
    model = embedder("minilm")
    vectors: list[bytes] = [b""] * len(texts)
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    started = time.monotonic()
    for start in range(0, len(order), BATCH):
        part = order[start : start + BATCH]
        for number, vector in zip(part, model.embed([texts[number] for number in part]), strict=True):
            vectors[number] = vector
    print(f"{len(texts)} texts embedded in {time.monotonic() - started:.0f} s")
    (_folder() / "texts.json").write_text(json.dumps(texts))
    (_folder() / "vectors").write_bytes(b"".join(vectors))


if __name__ == "__main__":
    make(int(sys.argv[1]) if len(sys.argv) > 1 else USUAL)
