"""`pipeline.format` and `pipeline.revert`: a patch that breaks tests loses exactly the part that breaks them."""

from __future__ import annotations

import json
from typing import Any

import pytest

FIELDS = ("source", "project", "environment")
PLANTED = {
    "quotes.py": "import inspect\nimport os\n\n\ndef shown():\n    return  'single'\n\n\ndef source():\n"
    "    return inspect.getsource(shown)\n\n\ndef  spaced( a,b ):\n    return { 'a':a,'b' : b }\n",
    "other.py": "x = { 'a':1 }\ndef f( a ):\n    return a+1\n",
    "test_planted.py": "from quotes import source, spaced\nfrom other import f\n\n"
    "def test_source_is_as_written():\n    assert \"return  'single'\" in source()\n\n"
    "def test_spaced():\n    assert spaced(1,2) == {'a':1, 'b':2}\n\n"
    "def test_f():\n    assert f(1)==2\n\n"
    "def test_already_failing():\n    assert f(1)==3\n",
}


async def repaired(bench: Any, **revert: Any) -> list[str]:
    """What graphs/code_repair.yaml does; gives the ports taken."""
    ports = [await bench.step("test", *FIELDS, into="baseline")]
    ports.append(await bench.step("format", "source"))
    while ports[-1] in ("changed", "again"):
        ports.append(await bench.step("test", *FIELDS, "patch", "baseline", on_hang="report", timeout=20))
        if ports[-1] == "failed":
            ports.append(await bench.step("revert", *FIELDS, "patch", "tests", **revert))
    return ports


async def test_only_the_change_that_breaks_a_test_is_taken_back(bench: Any) -> None:
    bench.write(PLANTED)
    await bench.ready()
    assert await repaired(bench) == ["failed", "changed", "failed", "again", "passed"]
    patch = bench.item["patch"]
    assert patch["reverted"] == ["quotes.py#2"]
    assert patch["notes"] == ["quotes.py, line 6: broke test_planted.py::test_source_is_as_written"]
    tree = bench.work_dir / "tree"
    quotes = (tree / "quotes.py").read_text()
    assert "    return  'single'\n" in quotes
    assert 'return {"a": a, "b": b}' in quotes
    assert "import os" not in quotes
    assert (tree / "other.py").read_text().startswith('x = {"a": 1}')
    assert (bench.work_dir / "source" / "quotes.py").read_text() == PLANTED["quotes.py"]
    diff = bench.content(patch["diff"]).decode()
    assert "single" not in "".join(line for line in diff.splitlines(True) if line[:1] in "+-")
    assert bench.item["tests"]["regressions"] == []
    assert bench.item["tests"]["counts"] == {"failed": 1, "passed": 3}
    assert len(json.dumps(bench.item)) < 8000  # what travels stays small


async def test_the_work_tree_is_made_again_elsewhere_from_the_item_alone(bench: Any, tmp_path: Any) -> None:
    bench.write(PLANTED)
    await bench.ready()
    await repaired(bench)
    expected = {path.name: path.read_text() for path in (bench.work_dir / "tree").glob("*.py")}
    bench.work_dir = tmp_path / "elsewhere"
    bench.work_dir.mkdir()
    await bench.step("docs", "source", "project", "patch")
    assert {path.name: path.read_text() for path in (bench.work_dir / "tree").glob("*.py")} == expected


async def test_after_enough_rounds_the_whole_patch_is_taken_back(bench: Any) -> None:
    bench.write(PLANTED)
    await bench.ready()
    await bench.step("test", *FIELDS, into="baseline")
    await bench.step("format", "source")
    bench.item["patch"]["round"] = 1
    await bench.step("test", *FIELDS, "patch", "baseline")
    assert await bench.step("revert", *FIELDS, "patch", "tests", rounds=1) == "again"
    assert bench.item["patch"]["files"] == []
    assert (bench.work_dir / "tree" / "other.py").read_text() == PLANTED["other.py"]


async def test_a_search_that_may_not_probe_enough_takes_back_all_that_may_be_guilty(bench: Any) -> None:
    bench.write(PLANTED)
    await bench.ready()
    ports = await repaired(bench, probes=1)
    assert ports[-1] == "passed"
    assert "quotes.py#2" in bench.item["patch"]["reverted"]
    assert "not searched to the end" in bench.item["patch"]["notes"][0]


async def test_a_test_that_fails_without_the_patch_too_is_not_blamed_on_it(bench: Any) -> None:
    counter = (
        "import pathlib\n\ndef test_flaky():\n    mark = pathlib.Path('ran')\n"
        "    before = mark.exists()\n    mark.touch()\n    assert not before\n\ndef  test_other(): pass\n"
    )
    bench.write({"test_flaky.py": counter})
    await bench.ready()
    assert await repaired(bench) == ["passed", "changed", "failed", "unrelated"]
    assert bench.item["patch"]["reverted"] == []
    assert "def test_other():" in (bench.work_dir / "tree" / "test_flaky.py").read_text()


async def test_code_in_order_gives_no_patch(bench: Any) -> None:
    bench.write({"a.py": "x = 1\n"})
    await bench.ready()
    assert await bench.step("format", "source") == "unchanged"
    assert bench.item["patch"]["files"] == []
    assert bench.content(bench.item["patch"]["diff"]) == b""


async def test_formatting_follows_the_repositorys_settings_and_no_others(bench: Any) -> None:
    bench.work_dir.mkdir(parents=True)
    (bench.work_dir.parent / "ruff.toml").write_text('[format]\nquote-style = "single"\n')
    bench.write({"a.py": "x = 'a'\n"})
    await bench.ready()
    await bench.step("format", "source")
    assert (bench.work_dir / "tree" / "a.py").read_text() == 'x = "a"\n'
    bench.write({"pyproject.toml": "[tool.ruff.format]\nquote-style = 'preserve'\n"})
    await bench.step("fetch", repository=str(bench.repository))
    assert await bench.step("format", "source") == "unchanged"


async def test_settings_that_ruff_cannot_use_fall_back_to_its_own(bench: Any) -> None:
    bench.write({"a.py": "x = 'a'\n", "ruff.toml": "no-such-setting = 1\n"})
    await bench.ready()
    assert await bench.step("format", "source") == "changed"
    assert any("cannot use the repository's settings" in message for message in bench.messages)


async def test_files_that_do_not_parse_or_decode_are_left_alone(bench: Any) -> None:
    bench.write({"bad.py": "def (:\n", "latin.py": b"# caf\xe9\nx = 'a'\n", "good.py": "x = 'a'\n"})
    await bench.ready()
    await bench.step("format", "source")
    assert [change["path"] for change in bench.item["patch"]["files"]] == ["good.py"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_line_ends_are_kept(bench: Any, end: str) -> None:
    bench.write({"a.py": f"x = 'a'{end}y = 1{end}"})
    await bench.ready()
    await bench.step("format", "source")
    assert (bench.work_dir / "tree" / "a.py").read_bytes() == f'x = "a"{end}y = 1{end}'.encode()
