"""Texts that editors have been given, by hash, so that a save can be merged with what others saved meanwhile."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from pyagent.graph.yaml import Document, load_text
from pyagent.runtime.graph_files import text_hash

_MOST_CHARACTERS = 16 * 1024 * 1024
_MOST_READ = 1024 * 1024
"""What a text says takes some fifty times the place of the text, and is looked through by each garbage collection."""


class GivenTexts:
    """The texts given last; older ones are forgotten, and must then be sent by who started from them."""

    def __init__(self, most: int = _MOST_CHARACTERS) -> None:
        """`most`: characters that are kept in all."""
        self._most = most
        self._size = 0
        self._texts: OrderedDict[tuple[str, str], str] = OrderedDict()

    def keep(self, graph_id: str, text: str) -> str:
        """Keep a graph's text; returns its hash."""
        hash = text_hash(text)
        key = (graph_id, hash)
        self._size += 0 if key in self._texts else len(text)
        self._texts[key] = text
        self._texts.move_to_end(key)
        while self._size > self._most and len(self._texts) > 1:
            _, oldest = self._texts.popitem(last=False)
            self._size -= len(oldest)
        return hash

    def find(self, graph_id: str, hash: str) -> str | None:
        """The graph's text with this hash, if it is kept. Whoever may not read a graph gets none of it by its hash."""
        return self._texts.get((graph_id, hash))


class ReadTexts:
    """What the texts said that were read last: an editor sends the same text again with each change that it makes."""

    def __init__(self, most: int = _MOST_READ) -> None:
        """`most`: characters of the texts that are kept in all."""
        self._most = most
        self._lock = Lock()
        self._size = 0
        self._documents: OrderedDict[str, Document] = OrderedDict()

    def load(self, text: str) -> Document:
        """What the text says. Raises `GraphError`."""
        with self._lock:
            if (known := self._documents.get(text)) is not None:
                self._documents.move_to_end(text)
                return known
        return self.keep(load_text(text))

    def keep(self, document: Document) -> Document:
        """Keep what a text says."""
        with self._lock:
            if document.text not in self._documents:
                self._size += len(document.text)
            self._documents[document.text] = document
            self._documents.move_to_end(document.text)
            while self._size > self._most and len(self._documents) > 1:
                oldest, _ = self._documents.popitem(last=False)
                self._size -= len(oldest)
        return document


__all__ = ["GivenTexts", "ReadTexts"]
