"""Patches whose hunks can be taken back one by one, and the search for the guilty ones."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyagent_nodes.pipeline import patches
from pyagent_nodes.pipeline.bisection import Budget, find_guilty
from pyagent_nodes.pipeline.patches import FilePatch, PatchMismatch

LINE = st.sampled_from(["a", "b", "c", "", "  x", "y\x0c", "z\u2028w"])
END = st.sampled_from(["\n", "\n", "\n", "\r\n"])
TEXT = st.lists(st.tuples(LINE, END), max_size=12).map(lambda lines: "".join(line + end for line, end in lines))
LAST = st.sampled_from(["", "last"])


@given(old=TEXT, new=TEXT, old_end=LAST, new_end=LAST)
def test_all_hunks_give_the_new_text_and_none_the_old(old: str, new: str, old_end: str, new_end: str) -> None:
    old, new = old + old_end, new + new_end
    patch = patches.compare("x.py", old, new)
    if patch is None:
        assert old == new
        return
    assert patches.apply(old, patch) == new
    assert patches.apply(old, patch, patch.units) == old
    assert patches.decode(patches.encode([patch])) == [patch]


@given(old=TEXT, new=TEXT, data=st.data())
def test_any_part_of_a_patch_can_be_taken_back_and_counts_agree(old: str, new: str, data: st.DataObject) -> None:
    patch = patches.compare("x.py", old, new)
    if patch is None:
        return
    reverted = data.draw(st.sets(st.sampled_from(patch.units)))
    text = patches.apply(old, patch, reverted)
    hunks, added, removed = patches.counts(patch, reverted)
    assert hunks == len(patch.units) - len(reverted)
    assert len(patches.lines_of(text)) == len(patches.lines_of(old)) + added - removed


@given(old=TEXT, new=TEXT, old_end=LAST, new_end=LAST)
@settings(max_examples=20, deadline=None)
def test_git_applies_the_unified_diff(
    old: str, new: str, old_end: str, new_end: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("apply")
    old, new = old + old_end, new + new_end
    patch = patches.compare("x.py", old, new)
    if patch is None or not old or not new:
        return
    (folder / "x.py").write_bytes(old.encode())
    diff = patches.unified({"x.py": old}, [patch], [])
    subprocess.run(
        ["git", "apply", "--unidiff-zero", "--whitespace=nowarn", "-"], cwd=folder, input=diff.encode(), check=True,
        env={"GIT_CEILING_DIRECTORIES": str(folder.parent), "PATH": "/usr/bin:/bin:/usr/local/bin"},
    )  # fmt: skip
    assert (folder / "x.py").read_bytes() == new.encode()


def test_a_patch_for_another_text_is_refused() -> None:
    patch = patches.compare("x.py", "a\nb\n", "a\nc\n")
    assert patch is not None
    with pytest.raises(PatchMismatch, match="line 2"):
        patches.apply("a\nother\n", patch)


def test_a_reverted_hunk_is_not_in_the_diff(tmp_path: Path) -> None:
    patch = patches.compare("x.py", "a\nb\nc\n", "A\nb\nC\n")
    assert patch is not None
    assert patch.units == ["x.py#1", "x.py#2"]
    diff = patches.unified({"x.py": "a\nb\nc\n"}, [patch], ["x.py#1"])
    assert "+C" in diff
    assert "+A" not in diff
    assert patches.unified({"x.py": "a\nb\nc\n"}, [patch], patch.units) == ""


PARTS = st.integers(min_value=1, max_value=40).map(lambda count: [str(number) for number in range(count)])


@given(parts=PARTS, data=st.data())
async def test_the_search_finds_exactly_the_parts_that_break_by_themselves(
    parts: list[str], data: st.DataObject
) -> None:
    guilty = data.draw(st.sets(st.sampled_from(parts), min_size=1))
    checks = 0

    async def fails(kept: Sequence[str]) -> bool:
        nonlocal checks
        checks += 1
        return bool(guilty & set(kept))

    verdict = await find_guilty(parts, fails, Budget(left=10_000))
    assert set(verdict.guilty) == guilty
    assert verdict.exact
    assert checks <= len(guilty) * (len(parts).bit_length() + 1)


@given(parts=PARTS, data=st.data())
async def test_the_search_makes_the_check_pass_when_parts_break_only_together(
    parts: list[str], data: st.DataObject
) -> None:
    groups = data.draw(st.lists(st.frozensets(st.sampled_from(parts), min_size=1, max_size=3), min_size=1, max_size=4))

    async def fails(kept: Sequence[str]) -> bool:
        return any(group <= set(kept) for group in groups)

    verdict = await find_guilty(parts, fails, Budget(left=10_000))
    assert verdict.exact
    assert not await fails([part for part in parts if part not in verdict.guilty])


@given(parts=PARTS, budget=st.integers(min_value=0, max_value=6), data=st.data())
async def test_a_search_that_ends_early_takes_back_all_that_may_be_guilty(
    parts: list[str], budget: int, data: st.DataObject
) -> None:
    guilty = data.draw(st.sets(st.sampled_from(parts), min_size=1))
    checks = 0

    async def fails(kept: Sequence[str]) -> bool:
        nonlocal checks
        checks += 1
        return bool(guilty & set(kept))

    verdict = await find_guilty(parts, fails, Budget(left=budget))
    assert guilty <= set(verdict.guilty)
    assert checks <= budget
    if not verdict.exact:
        assert list(verdict.guilty) == [part for part in parts if part in verdict.guilty]


def test_units_are_named_by_path_and_number() -> None:
    patch = FilePatch(path="a/b.py", hunks=())
    assert patch.unit(0) == "a/b.py#1"
