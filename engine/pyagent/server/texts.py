"""Texts that editors have been given, by hash, so that a save can be merged with what others saved meanwhile."""

from __future__ import annotations

from collections import OrderedDict

from pyagent.runtime.graph_files import text_hash

_MOST_CHARACTERS = 16 * 1024 * 1024


class GivenTexts:
    """The texts given last; older ones are forgotten, and must then be sent by who started from them."""

    def __init__(self, most: int = _MOST_CHARACTERS) -> None:
        """`most`: characters that are kept in all."""
        self._most = most
        self._size = 0
        self._texts: OrderedDict[str, str] = OrderedDict()

    def keep(self, text: str) -> str:
        """Keep a text; returns its hash."""
        hash = text_hash(text)
        self._size += 0 if hash in self._texts else len(text)
        self._texts[hash] = text
        self._texts.move_to_end(hash)
        while self._size > self._most and len(self._texts) > 1:
            _, oldest = self._texts.popitem(last=False)
            self._size -= len(oldest)
        return hash

    def find(self, hash: str) -> str | None:
        """The text with this hash, if it is kept."""
        return self._texts.get(hash)


__all__ = ["GivenTexts"]
