"""Builds are strangers: what the pipeline reads and writes goes through no link that one has left."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pyagent_nodes.pipeline import venv, workspace
from pyagent_nodes.pipeline.shapes import Environment, Source


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    found = tmp_path / "outside"
    found.write_text("mine")
    return found


class BuildThatLinks:
    """uv, with a package whose build leaves links where the pipeline is about to write."""

    def __init__(self, ctx: Any, timeout: float) -> None:
        self.folder = cast(Path, ctx.work_dir)

    async def run(self, *arguments: Any, env: Any = None) -> Any:
        if arguments[0] == "venv":
            (self.folder / "environment").mkdir()
            (self.folder / "environment" / ".pyagent-environment").symlink_to(self.folder.parent / "outside")
            (self.folder / "lock.txt").symlink_to(self.folder.parent / "outside")
        return SimpleNamespace(ok=True, text="3.11.7", error_text="")

    async def install(self, what: Any, *, env: Any, cached: bool) -> None:
        pass


async def test_an_environment_is_made_again_without_writing_through_a_builds_link(
    tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venv, "Uv", BuildThatLinks)
    work = tmp_path / "work"
    work.mkdir()
    ctx = cast(Any, SimpleNamespace(work_dir=work, log=print))
    environment = Environment.model_construct(key="k", python="3.11", lock=["pytest==8.0"], package="not installed")
    await venv.open_environment(ctx, Source.model_construct(), cast(Any, None), environment, tmp_path)
    assert outside.read_text() == "mine"
    assert (work / "lock.txt").read_text() == "pytest==8.0\n"
    assert (work / "environment" / ".pyagent-environment").read_text() == "k"


async def test_the_list_of_patched_files_is_written_through_no_link(tmp_path: Path, outside: Path) -> None:
    state = tmp_path / "state"
    state.with_name("state.new").symlink_to(outside)
    workspace._write_state(state, ["a.py"])  # pyright: ignore[reportPrivateUsage]
    assert outside.read_text() == "mine"
    assert json.loads(state.read_text()) == ["a.py"]


async def test_an_environment_that_a_build_has_replaced_by_a_link_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venv, "Uv", BuildThatLinks)
    work, elsewhere = tmp_path / "work", tmp_path / "elsewhere"
    for folder in (work, elsewhere):
        folder.mkdir()
    (elsewhere / "kept").touch()
    (work / "environment").symlink_to(elsewhere)
    ctx = cast(Any, SimpleNamespace(work_dir=work, log=print))
    environment = Environment.model_construct(key="k", python="3.11", lock=[], package="not installed")
    for use in (venv.environment_folder, venv.environment_python):
        with pytest.raises(venv.EnvironmentFailed, match="is a link"):
            use(ctx)
    with pytest.raises(venv.EnvironmentFailed, match="is a link"):
        await venv.open_environment(ctx, Source.model_construct(), cast(Any, None), environment, tmp_path)
    await venv._fresh(ctx, cast(Any, BuildThatLinks(ctx, 1)), "python")  # pyright: ignore[reportPrivateUsage]
    assert venv.environment_folder(ctx).is_dir()
    assert [path.name for path in elsewhere.iterdir()] == ["kept"]
