"""MiniLM by ONNX Runtime, in an environment that has the extra `embeddings`."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from extra_environment import EMBEDDINGS, NoEnvironment, extra_python

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

PROGRAM = """
import asyncio, json, sys, time
from pathlib import Path
from pyagent.sdk import _onnx_model, embedding
from pyagent.sdk.memory import vector_numbers
from pyagent.testing import TestCancelToken, run_node
from pyagent_nodes.memory.embed import embed as node

TEXTS = ["A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby.", ""]

async def main(folder):
    token = TestCancelToken()
    vectors = [vector_numbers(each) for each in await embedding.embed(TEXTS, "minilm", token)]
    again = await embedding.embed(TEXTS, "minilm", token)
    alone = [vector_numbers((await asyncio.to_thread(embedding.embedder("minilm").embed, [text]))[0]) for text in TEXTS]
    near = lambda a, b: sum(x * y for x, y in zip(a, b))
    run = await run_node(node, [{"text": TEXTS[0]}], {"text": TEXTS[0]})
    graph = next((Path(folder) / "pyagent" / "models").glob("*.onnx"), None)
    other = Path(folder) / "other"
    other.mkdir()
    (other / "tokenizer.json").symlink_to(_onnx_model.minilm_folder() / "tokenizer.json")
    (other / "model.onnx").symlink_to(graph)
    by_path = [vector_numbers(each) for each in await embedding.embed(TEXTS, str(other), token)]
    print(json.dumps({
        "widths": [len(each) for each in vectors],
        "lengths": [near(each, each) for each in vectors],
        "near": [near(vectors[0], each) for each in vectors],
        "same": [vector_numbers(each) for each in again] == vectors,
        "alone": [near(a, b) for a, b in zip(vectors, alone)],
        "node": near(run.json()[0]["vector"], vectors[0]),
        "path": [near(a, b) for a, b in zip(vectors, by_path)],
    }))

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    try:
        python = extra_python(*EMBEDDINGS)
    except NoEnvironment as error:
        pytest.skip(f"the extra cannot be installed here: {error}")
    folder = tmp_path_factory.mktemp("cache")
    given = {**os.environ, "XDG_CACHE_HOME": str(folder)}
    ended = subprocess.run(
        [python, "-c", PROGRAM, str(folder)], env=given, capture_output=True, text=True, timeout=800, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout.splitlines()[-1])


def test_vectors_have_384_numbers_and_length_1(said: dict[str, object]) -> None:
    assert said["widths"] == [384] * 4
    assert said["lengths"] == pytest.approx([1] * 4, abs=1e-5)


def test_they_are_as_near_as_the_model_s_authors_say(said: dict[str, object]) -> None:
    # https://www.sbert.net/docs/quickstart.html gives 0.7553 for the second; the third has little to do with it.
    near = said["near"]
    assert isinstance(near, list)
    assert near[1] == pytest.approx(0.7553, abs=1e-4)
    assert near[2] < 0.1


def test_neither_cache_nor_neighbours_in_a_batch_change_a_vector(said: dict[str, object]) -> None:
    assert said["same"] is True
    assert said["alone"] == pytest.approx([1] * 4, abs=1e-5)
    assert said["node"] == pytest.approx(1, abs=1e-5)


def test_a_model_by_its_path_gives_the_same(said: dict[str, object]) -> None:
    assert said["path"] == pytest.approx([1] * 4, abs=1e-5)
