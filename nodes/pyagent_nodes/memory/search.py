"""`memory.search`: memories become items."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from pyagent.sdk import Context, Item, NotFound, node
from pyagent.sdk.embedding import embed
from pyagent.sdk.memory import MemoryFilter, MemoryHit
from pyagent_nodes.memory._common import IndexParams, Model, opened


class SearchParams(IndexParams):
    """Parameters of `memory.search`."""

    text: str = Field("", description="Words to look for", examples=["{{ $json.question }}"])
    vector: list[float] | None = Field(None, description="A vector to look near, where you have made one")
    model: Model | None = Field(
        None,
        description="Makes a vector of `text`, the model that the memories were made with: `minilm`, `hashing` (for "
        "tests), or a folder's path",
    )
    by: Literal["all", "words", "vector"] = Field(
        "all", description="What ranks: words and vector together, as far as both are given, or one of them"
    )
    limit: int = Field(10, ge=1, le=10_000, description="How many memories at most")
    tags: list[str] = Field(default_factory=list, description="Only with all of these tags")
    any_tags: list[str] = Field(default_factory=list, description="Only with one of these tags")
    without_tags: list[str] = Field(default_factory=list, description="Only without these tags")
    since: datetime | None = Field(None, description="Only from this time on")
    before: datetime | None = Field(None, description="Only from before this time")
    near: list[str] = Field(
        default_factory=list, description="Only these ids and memories that links lead to from them, either way"
    )
    steps: int = Field(1, ge=0, le=10, description="With `near`: how many links may be followed")
    text_weight: float = Field(1.0, ge=0, description="What a rank by words counts")
    vector_weight: float = Field(1.0, ge=0, description="What a rank by nearness counts")
    missing: Literal["none", "fail"] = Field("none", description="What if there is no such index yet")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.by == "vector" and self.vector is None and self.model is None:
            raise ValueError("to rank by vector, give `vector`, or `text` and the `model` that makes one of it")
        if self.by == "words" and not self.text:
            raise ValueError("to rank by words, give `text`")
        return self


# It gives what is there now.
@node("memory.search", title="Recall", icon="search", effects="idempotent", each_item=True, concurrency=4)
async def search(item: Item, params: SearchParams, ctx: Context) -> list[Item]:
    """Find the best memories for an item: `{id, text, tags, time, links, data, score, text_score, vector_score}`.

    Words rank by BM25, a vector by cosine similarity, both together by reciprocal rank fusion; with neither, the newest
    come first. Without a match, nothing comes out.
    """
    try:
        index = await opened(params, create=False)
    except NotFound:
        if params.missing == "fail":
            raise
        return []
    vector = params.vector
    if vector is None and params.model and params.text and params.by != "words":
        (vector,) = await embed([params.text], params.model, ctx.cancel)
    hits = await index.search(
        "" if params.by == "vector" else params.text,
        vector=None if params.by == "words" else vector,
        limit=params.limit,
        filter=MemoryFilter(
            tags=params.tags,
            any_tags=params.any_tags,
            without_tags=params.without_tags,
            since=params.since,
            before=params.before,
            near=params.near,
            steps=params.steps,
        ),
        text_weight=params.text_weight,
        vector_weight=params.vector_weight,
    )
    return [_item(hit, item) for hit in hits]


def _item(hit: MemoryHit, item: Item) -> Item:
    memory = hit.memory
    found = {
        "id": memory.id,
        "text": memory.text,
        "tags": list(memory.tags),
        "time": memory.time.isoformat(),
        "links": list(memory.links),
        "data": dict(memory.data),
        "score": hit.score,
        "text_score": hit.text_score,
        "vector_score": hit.vector_score,
    }
    return Item(found, None, item.sources)
