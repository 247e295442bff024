"""`pipeline.report`: one page and one JSON file, the same for the same work."""

from __future__ import annotations

import asyncio
import json
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pyagent.errors import NodeError
from pyagent_nodes.pipeline.report_document import ReportDocument

FIELDS = ("source", "project", "environment")
FILES = {
    "pyproject.toml": '[project]\nname = "thing"\nversion = "1.0"\ndescription = "A <script>alert(1)</script>"\n',
    "thing.py": "import subprocess\ndef  f( x ):\n    subprocess.call(x, shell=True)\n    return x\n",
    "test_thing.py": 'from thing import f\ndef test_bad():\n    assert False, "<img src=x onerror=alert(1)>"\n',
}


async def everything(bench: Any) -> None:
    """All steps before the report."""
    await bench.ready()
    await bench.step("test", *FIELDS, into="baseline")
    await bench.step("format", "source")
    await bench.step("test", *FIELDS, "patch", "baseline")
    await bench.step("audit", "source", "environment")
    await bench.step("docs", "source", "project", "patch")


async def report(bench: Any, output: Path, **params: Any) -> dict[str, Any]:
    """Write the report and read it."""
    given = [name for name in ("baseline", "tests", "patch", "audit", "docs") if name in bench.item]
    kept = dict(bench.item)
    await bench.step("report", *FIELDS, *given, output=str(output), **params)
    summary, bench.item = bench.item, kept
    assert summary["json"] == str(output / "report.json")
    return json.loads((output / "report.json").read_text())


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


async def test_the_report_tells_everything_and_nothing_in_it_can_act(bench: Any, tmp_path: Path) -> None:
    bench.write(FILES)
    await everything(bench)
    output = tmp_path / "out"
    found = await report(bench, output)
    assert found["schema"] == 1
    assert found["verdict"] == "failing tests"
    assert found["tests"]["before"]["counts"] == found["tests"]["after"]["counts"] == {"failed": 1}
    assert [file["path"] for file in found["changes"]["files"]] == ["test_thing.py", "thing.py"]
    assert "B602" in [one["rule"] for one in found["audit"]["findings"]]
    assert set(found["times"]) >= {"fetch", "tests before", "changes", "tests after", "audit", "docs"}
    ReportDocument.model_validate(found)
    page = (output / "report.html").read_text()
    parsed = Tags(page)
    assert not parsed.tags & {"script", "img", "iframe", "link", "object"}
    assert not any(name.startswith("on") for name in parsed.attributes)
    assert "A &lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert (output / found["docs"]["index"]).is_file()
    assert sorted(path.name for path in output.iterdir()) == [
        "changes.patch", "docs", "report.html", "report.json", "tests-after.json", "tests-before.json",
    ]  # fmt: skip
    assert json.loads((output / "tests-after.json").read_text())[0]["id"] == "test_thing.py::test_bad"


async def test_the_patch_beside_the_report_applies_to_the_repository(bench: Any, tmp_path: Path) -> None:
    bench.write(FILES)
    await everything(bench)
    await report(bench, tmp_path / "out")
    await asyncio.to_thread(
        subprocess.run,
        ["git", "apply", str(tmp_path / "out" / "changes.patch")], cwd=bench.repository, check=True,
        env={"GIT_CEILING_DIRECTORIES": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/local/bin"},
    )  # fmt: skip
    for name in ("thing.py", "test_thing.py"):
        assert (bench.repository / name).read_text() == (bench.work_dir / "tree" / name).read_text()


async def test_two_reports_on_the_same_repository_differ_in_run_and_times_only(bench: Any, tmp_path: Path) -> None:
    bench.write(FILES)
    await everything(bench)
    first = await report(bench, tmp_path / "one")
    bench.work_dir, bench.item = tmp_path / "other work", {}
    await everything(bench)
    second = await report(bench, tmp_path / "two")
    assert first["run"] != second["run"]
    for name in ("run", "times"):
        del first[name], second[name]
    assert first == second


async def test_writing_again_replaces_what_was_there(bench: Any, tmp_path: Path) -> None:
    bench.write(FILES)
    await bench.ready()
    await bench.step("docs", "source", "project")
    await report(bench, tmp_path / "out")
    (tmp_path / "out" / "docs" / "old.html").write_text("old")
    (tmp_path / "out" / "mine.txt").write_text("mine")
    await report(bench, tmp_path / "out")
    assert not (tmp_path / "out" / "docs" / "old.html").exists()
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


async def test_rejected_changes_are_shown_and_not_kept(bench: Any, tmp_path: Path) -> None:
    bench.write({"thing.py": "def  f( ): pass\n"})
    await bench.ready()
    await bench.step("format", "source")
    found = await report(bench, tmp_path / "out", keep=False)
    assert found["changes"]["kept"] is False
    assert not (tmp_path / "out" / "changes.patch").exists()
    assert "not kept" in (tmp_path / "out" / "report.html").read_text()


async def test_a_repository_without_tests_gets_a_report_that_says_so(bench: Any, tmp_path: Path) -> None:
    bench.write({"thing.py": "x = 1\n"})
    await bench.ready()
    await bench.step("test", *FIELDS, into="baseline")
    found = await report(bench, tmp_path / "out")
    assert found["verdict"] == "no tests"
    assert "The repository has no tests" in (tmp_path / "out" / "report.html").read_text()


async def test_a_folder_that_cannot_be_written_is_a_clear_error(bench: Any, tmp_path: Path) -> None:
    bench.write({"thing.py": "x = 1\n"})
    await bench.ready()
    (tmp_path / "file").write_text("")
    with pytest.raises(NodeError) as caught:
        await report(bench, tmp_path / "file" / "out")
    assert caught.value.code == "pipeline.report.failed"
    assert caught.value.where.field == "with.output"


async def test_a_folder_with_somebodys_own_documentation_is_left_alone(bench: Any, tmp_path: Path) -> None:
    bench.write(FILES)
    await bench.ready()
    (tmp_path / "own" / "docs").mkdir(parents=True)
    (tmp_path / "own" / "docs" / "index.md").write_text("mine")
    with pytest.raises(NodeError, match="which no report has written"):
        await report(bench, tmp_path / "own")
    assert (tmp_path / "own" / "docs" / "index.md").read_text() == "mine"
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["docs"]


async def test_without_an_output_the_report_goes_below_the_working_directory(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bench.write({"thing.py": "x = 1\n"})
    await bench.ready()
    await bench.step("report", *FIELDS)
    assert bench.item["output"] == str(tmp_path / ".pyagent" / "reports" / "run")
    assert (tmp_path / ".pyagent").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".pyagent" / "reports").stat().st_mode & 0o777 == 0o700
