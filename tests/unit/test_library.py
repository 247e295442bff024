"""Where graphs are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyagent.errors import GraphError
from pyagent.graph.yaml import load_file, read_file
from pyagent.runtime.library import BrokenFile, GraphLibrary, graph_folders


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


TEXT = "pyagent: 1\nid: {}\nnodes: []\n"


def test_files_that_vanish_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    library, read, away = GraphLibrary([tmp_path]), list[str](), tmp_path.with_name("away")
    away.mkdir()
    monkeypatch.setattr("pyagent.runtime.library.load_file", _noting(read))
    for number in range(3):
        for name in ("graph", "broken"):
            (tmp_path / f"{name}_{number}.yaml").write_text(TEXT.format(f"graph_{number}") if name == "graph" else "[")
        assert len(list(library.entries())) == 2
        read.clear()
        assert len(list(library.entries())) == 2
        assert read == []
        for path in tmp_path.iterdir():
            path.rename(away / path.name)
        assert list(library.entries()) == []
        for path in away.iterdir():
            path.rename(tmp_path / path.name)
        assert len(list(library.entries())) == 2
        assert len(read) == 2
        for path in tmp_path.iterdir():
            path.unlink()


def test_a_broken_file_is_parsed_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    library, read = GraphLibrary([tmp_path]), list[str]()
    monkeypatch.setattr("pyagent.runtime.library.load_file", _noting(read))
    file = tmp_path / "broken.yaml"
    file.write_text("id: [")
    for _ in range(3):
        [found] = library.entries()
        assert isinstance(found, BrokenFile)
    assert read == ["broken.yaml"]
    file.write_text(TEXT.format("broken"))
    assert library.find("broken") is not None


def test_a_file_that_gets_another_name_while_it_is_looked_for_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    library, moves = GraphLibrary([tmp_path]), iter(("b.yaml", "c.yaml", "d.yaml"))
    (tmp_path / "a.yaml").write_text(TEXT.format("found"))
    real = library.read

    def read(path: Path):
        if (name := next(moves, None)) is not None:
            path.rename(tmp_path / name)
        return real(path)

    monkeypatch.setattr(library, "read", read)
    assert library.path_of("found") == tmp_path / "d.yaml"


def test_a_file_that_is_gone_when_it_is_read_is_not_told_as_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    library = GraphLibrary([tmp_path])
    (tmp_path / "a.yaml").write_text(TEXT.format("a"))
    real = library.read

    def read(path: Path):
        path.unlink()
        return real(path)

    monkeypatch.setattr(library, "read", read)
    assert list(library.entries()) == []


def _noting(read: list[str]):
    def load(path: Path):
        read.append(path.name)
        return load_file(path)

    return load
