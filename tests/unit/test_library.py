"""Where graphs are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyagent.errors import GraphError
from pyagent.graph.yaml import read_file
from pyagent.runtime.library import GraphLibrary, graph_folders


def test_a_folder_that_is_made_later_is_searched_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYAGENT_GRAPHS", str(tmp_path / "mine"))
    library = GraphLibrary(graph_folders())
    assert library.find("first") is None
    for folder, name in (("mine", "first"), ("graphs", "second")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.yaml").write_text(
            f"pyagent: 1\nid: {name}\nnodes: [{{id: a, use: flow.noop@1}}]\n"
        )
        assert library.find(name) is not None


def test_what_is_no_folder_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "graphs").write_text("a file")
    assert tmp_path / "graphs" not in graph_folders()


def test_a_folder_in_place_of_a_file_is_told_with_the_names_to_give(tmp_path: Path):
    with pytest.raises(GraphError) as caught:
        read_file(tmp_path)
    assert caught.value.hint == f"Name its files: {tmp_path}/*.yaml"
