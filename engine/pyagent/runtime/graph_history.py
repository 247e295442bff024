"""What a graph's file once said: commits of git that changed it, and the versions that the store keeps."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pyagent.errors import GraphError, NotFound, SetupError
from pyagent.graph.yaml import decode, load_text
from pyagent.runtime.git import Commit, blobs, commits_of
from pyagent.runtime.graph_files import is_inside, text_hash
from pyagent.runtime.library import GraphLibrary
from pyagent.store.base import Store

_MOST_COMMITS = 1000
"""Commits that are looked through for one that is asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PastText:
    """A graph's file as it was."""

    source: Literal["git", "store"]
    ref: str
    """The commit, or the version's hash."""
    at: datetime
    author: str
    """Empty: not known."""
    subject: str
    """The first line of the commit's message."""
    text: str

    @property
    def hash(self) -> str:
        """`text_hash` of the text."""
        return text_hash(self.text)


async def history(library: GraphLibrary, store: Store, graph_id: str, limit: int) -> list[PastText]:
    """What the graph's file said before, newest first.

    A version of the store that says to the byte what a commit says is left out: the commit says more of it.
    """
    path = await asyncio.to_thread(library.path_of, graph_id)
    found = await asyncio.to_thread(_committed, library, path, limit) if path is not None else []
    known = {past.hash for past in found}
    for version in await store.graph_versions(graph_id, limit):
        past = PastText(
            source="store", ref=version.hash, at=version.created_at, author="", subject="", text=version.text
        )
        if past.hash not in known:
            found.append(past)
    if not found and path is None:
        raise _unknown(graph_id)
    return sorted(found, key=lambda past: past.at, reverse=True)[:limit]


async def past_text(library: GraphLibrary, store: Store, graph_id: str, ref: str) -> PastText:
    """The one with this `ref`. Raises `NotFound` (`graph.not_found`)."""
    with suppress(NotFound):
        version = await store.get_graph(ref)
        if version.graph_id == graph_id:
            return PastText(source="store", ref=ref, at=version.created_at, author="", subject="", text=version.text)
    path = await asyncio.to_thread(library.path_of, graph_id)
    found = []
    if path is not None:
        found = await asyncio.to_thread(_committed, library, path, _MOST_COMMITS, ref)
    if not found:
        raise NotFound(
            f"the file of {graph_id} has no version {ref}",
            code="graph.not_found",
            hint="Its history lists those that there are.",
        )
    return found[0]


def _committed(library: GraphLibrary, path: Path, limit: int, only: str | None = None) -> list[PastText]:
    """What commits made of the file; of a link, of what it leads to. Of a link out of the library only what is a graph
    is told: it may lead to any file that this user can read."""
    try:
        file = path.resolve(strict=True)
        commits = [commit for commit in commits_of(file, limit) if only in (None, commit.id)]
        texts = blobs(file.parent, list({commit.blob: None for commit in commits if commit.blob}))
    except (OSError, RuntimeError, SetupError):
        return []
    found = [past for commit in commits if (past := _past(commit, texts)) is not None]
    return found if is_inside(library, file) else [past for past in found if _is_graph(past.text)]


def _past(commit: Commit, texts: dict[str, bytes]) -> PastText | None:
    try:
        text = decode(texts[commit.blob or ""])
    except (KeyError, GraphError):
        # removed then, not fetched in a partial clone, or not text
        return None
    return PastText(source="git", ref=commit.id, at=commit.at, author=commit.author, subject=commit.subject, text=text)


def _is_graph(text: str) -> bool:
    try:
        load_text(text)
    except GraphError:
        return False
    return True


def _unknown(graph_id: str) -> NotFound:
    return NotFound(
        f"there is no graph {graph_id!r}", code="graph.not_found", hint="`GET /api/v1/graphs` lists those there are."
    )


__all__ = ["PastText", "history", "past_text"]
