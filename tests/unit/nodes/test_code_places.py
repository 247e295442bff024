"""What `read` and `write` of code in a sandbox may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyagent.sdk import NodeError
from pyagent_nodes.code._places import sandbox


def test_relative_places_begin_in_the_runs_directory(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    assert sandbox(tmp_path, ["made"], ["made"], "none").write == (tmp_path, tmp_path / "made")


@pytest.mark.parametrize("place", ["link", "link/secret", "../outside"])
def test_a_relative_place_that_leads_out_of_the_runs_directory_is_refused(tmp_path: Path, place: str) -> None:
    """An earlier step's code could leave a link there to what it may not see."""
    work, outside = tmp_path / "work", tmp_path / "outside"
    work.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("treasure")
    (work / "link").symlink_to(outside)
    for read, write in (([place], []), ([], [place])):
        with pytest.raises(NodeError, match="leads out") as refused:
            sandbox(work, read, write, "none")
        assert refused.value.code == "node.sandbox_path"


def test_an_absolute_place_may_be_anywhere(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    assert sandbox(tmp_path / "work", [str(tmp_path / "link")], [str(tmp_path)], "none").read == (tmp_path / "link",)
