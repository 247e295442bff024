"""Embeddings without a model's packages: the hashing embedder, the cache, errors, cancelling."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from pyagent.errors import InputError, NodeCancelled, SetupError
from pyagent.sdk import _extras, embedding
from pyagent.sdk.embedding import HashingEmbedder, embed
from pyagent.sdk.memory import vector_bytes, vector_numbers
from pyagent.testing import TestCancelToken


class Counting:
    """A model that counts what it is asked."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.width = 1
        self.asked: list[list[str]] = []
        self.token: TestCancelToken | None = None

    def embed(self, texts: Sequence[str]) -> list[bytes]:
        self.asked.append(list(texts))
        if self.token is not None:
            self.loop.call_soon_threadsafe(self.token.trigger)
            self.stopped.result(10)
        return [vector_bytes([float(len(text))]) for text in texts]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Counting:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = Counting("counting")
    monkeypatch.setitem(embedding._made, "counting", found)
    return found


def dot(a: bytes, b: bytes) -> float:
    return sum(x * y for x, y in zip(vector_numbers(a), vector_numbers(b), strict=True))


def test_hashing_knows_words_and_gives_the_same_for_ever() -> None:
    fox, foxes, sea, nothing = HashingEmbedder().embed(["a red fox", "the red fox", "blue sea", ""])
    assert dot(fox, fox) == pytest.approx(1)
    assert dot(nothing, nothing) == pytest.approx(1)
    assert dot(fox, foxes) > 0.5 > dot(fox, sea)
    (known,) = HashingEmbedder(4).embed(["fox"])
    assert vector_numbers(known) == pytest.approx([-(2**0.5) / 3**0.5, 0, 6**-0.5, -(6**-0.5)])


async def test_a_text_is_embedded_once(model: Counting) -> None:
    token = TestCancelToken()
    assert [vector_numbers(each) for each in await embed(["a", "bb", "a"], "counting", token)] == [[1], [2], [1]]
    assert [vector_numbers(each) for each in await embed(["bb", "ccc"], "counting", token)] == [[2], [3]]
    assert model.asked == [["a", "bb"], ["ccc"]]


async def test_the_oldest_vectors_go_when_there_are_many(model: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "KEPT", 2)
    token = TestCancelToken()
    for text in ("a", "b", "c", "c", "a"):
        await embed([text], "counting", token)
    assert model.asked == [["a"], ["b"], ["c"], ["a"]]


async def test_texts_come_in_batches_and_tell_how_far_they_are(model: Counting) -> None:
    told: list[float] = []
    await embed([str(number) for number in range(80)], "counting", TestCancelToken(), told.append)
    await asyncio.sleep(0)
    assert [len(batch) for batch in model.asked] == [32, 32, 16]
    assert told == [0.4, 0.8, 1.0]


async def test_a_step_is_cancelled_between_two_batches(model: Counting) -> None:
    loop = asyncio.get_running_loop()
    token = TestCancelToken()

    async def asked() -> None:
        await token.wait()
        # The waiter of the token runs before this one ends: it came first.
        await asyncio.sleep(0)

    model.loop, model.token = loop, token  # type: ignore[attr-defined]
    model.stopped = asyncio.run_coroutine_threadsafe(asked(), loop)  # type: ignore[attr-defined]
    with pytest.raises(NodeCancelled):
        await embed([str(number) for number in range(1000)], "counting", token)
    assert len(model.asked) < 5


async def test_a_model_that_is_not_there_is_told(tmp_path: Path) -> None:
    for name in ("nobody", str(tmp_path / "nothing")):
        with pytest.raises(InputError) as caught:
            await embed(["a"], name, TestCancelToken())
        assert caught.value.code == "embedding.model"


async def test_missing_packages_are_told_with_the_way_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(_extras.importlib, "import_module", missing)
    with pytest.raises(SetupError, match="numpy") as caught:
        await embed(["a"], str(tmp_path), TestCancelToken())
    assert caught.value.code == "setup.embeddings_missing"
    assert "pyagent[embeddings]" in caught.value.hint
