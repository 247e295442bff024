"""`memory.embed`: texts become vectors."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pydantic import Field

from pyagent.sdk import Context, Item, Items, NodeParams, node
from pyagent.sdk.embedding import embed as vectors_of
from pyagent.sdk.fields import FieldPath, with_field
from pyagent.sdk.memory import vector_numbers
from pyagent_nodes.memory._common import Model, batches


class EmbedParams(NodeParams):
    """Parameters of `memory.embed`."""

    text: str = Field(description="The text; a model reads its first 256 tokens or so", examples=["{{ $json.text }}"])
    model: Model = Field("minilm", description="`minilm`, `hashing` (for tests), or the path of a model's folder")
    into: FieldPath = Field("vector", description="The field that gets the numbers")


# The same text gives the same vector; the model may have to be fetched first.
@node("memory.embed", title="Embed", icon="waypoints", effects="idempotent")
async def embed(items: Items, params: EmbedParams, ctx: Context) -> AsyncIterator[Item]:
    """Make a vector of a text: near vectors mean like things. Vectors have length 1; those of known texts are kept.

    `minilm` is all-MiniLM-L6-v2, 384 numbers, and needs `pyagent[embeddings]`; it is fetched once, 83 MB. The path of a
    folder with `model.onnx` and `tokenizer.json` is another model. `hashing` knows words, not what they mean.
    """
    async for batch in batches(items, ctx):
        given = [(item, await ctx.params_for(params, number)) for number, item in batch]
        for model in sorted({each.model for _, each in given}):
            wanted = [at for at, (_, each) in enumerate(given) if each.model == model]
            made = await vectors_of([given[at][1].text for at in wanted], model, ctx.cancel)
            for at, vector in zip(wanted, made, strict=True):
                item, each = given[at]
                new = with_field(item.json, each.into, vector_numbers(vector))
                given[at] = (Item(new, item.binary, item.sources), each)
        for item, _ in given:
            yield item
