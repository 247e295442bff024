"""`pipeline.test`: results of each test, hangs, repositories without tests, and the user's surroundings."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from marked_processes import have_ended, marked
from pyagent.errors import NodeError

FIELDS = ("source", "project", "environment")
KINDS = """
import pytest, unittest

def test_passes(): pass
def test_fails(): assert 1 == 2
@pytest.mark.skip(reason="not now")
def test_skipped(): pass
@pytest.mark.xfail
def test_expected(): assert False
@pytest.mark.xfail
def test_surprise(): pass
@pytest.fixture
def broken(): raise RuntimeError("setup broke")
def test_errors(broken): pass
@pytest.mark.parametrize("x", ["a b", "ü::[1]"])
def test_named(x): pass
class Sub(unittest.TestCase):
    def test_parts(self):
        for n in range(3):
            with self.subTest(n=n): self.assertNotEqual(n, 1)
    def test_whole(self):
        for n in range(3):
            with self.subTest(n=n): pass
"""


def outcomes(bench: Any, field: str = "tests") -> dict[str, str]:
    """Outcome by test id."""
    return {case["id"]: case["outcome"] for case in json.loads(bench.content(bench.item[field]["results"]))}


async def test_each_test_has_its_outcome_by_its_id(bench: Any) -> None:
    bench.write({"test_kinds.py": KINDS})
    await bench.ready()
    assert await bench.step("test", *FIELDS) == "failed"
    assert outcomes(bench) == {
        "test_kinds.py::test_passes": "passed",
        "test_kinds.py::test_fails": "failed",
        "test_kinds.py::test_skipped": "skipped",
        "test_kinds.py::test_expected": "xfailed",
        "test_kinds.py::test_surprise": "xpassed",
        "test_kinds.py::test_errors": "error",
        "test_kinds.py::test_named[a b]": "passed",
        "test_kinds.py::test_named[\\xfc::[1]]": "passed",
        "test_kinds.py::Sub::test_parts": "failed",
        "test_kinds.py::Sub::test_whole": "passed",
    }
    tests = bench.item["tests"]
    assert tests["status"] == "failed"
    assert tests["counts"] == {"error": 1, "failed": 2, "passed": 4, "skipped": 1, "xfailed": 1, "xpassed": 1}
    (failed,) = [case for case in tests["failing"] if case["id"] == "test_kinds.py::test_fails"]
    assert "assert 1 == 2" in failed["message"]
    assert str(bench.work_dir) not in json.dumps(tests["failing"])


async def test_unittest_suites_run_with_unittest(bench: Any) -> None:
    bench.write(
        {
            "tests/__init__.py": "",
            "tests/test_kinds.py": """
import unittest
class T(unittest.TestCase):
    def test_passes(self): pass
    def test_fails(self): self.fail("no")
    def test_errors(self): raise RuntimeError("broken")
    @unittest.skip("not now")
    def test_skipped(self): pass
    @unittest.expectedFailure
    def test_expected(self): self.fail("yes")
    def test_parts(self):
        with self.subTest(1): self.fail("part")
class S(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise RuntimeError("class broke")
    def test_never(self): pass
""",
            "tests/test_unimportable.py": "import not_there\n",
        }
    )
    await bench.ready()
    assert bench.item["project"]["runner"] == "unittest"
    assert await bench.step("test", *FIELDS) == "failed"
    prefix = "tests.test_kinds.T."
    assert outcomes(bench) == {
        prefix + "test_passes": "passed",
        prefix + "test_fails": "failed",
        prefix + "test_errors": "error",
        prefix + "test_skipped": "skipped",
        prefix + "test_expected": "xfailed",
        prefix + "test_parts": "failed",
        "setUpClass (tests.test_kinds.S)": "error",
        "unittest.loader._FailedTest.tests.test_unimportable": "error",
    }


async def test_a_module_that_cannot_be_imported_is_an_error_under_its_path(bench: Any) -> None:
    bench.write({"test_a.py": "def test_a(): pass\n", "test_b.py": "import not_there\n"})
    await bench.ready()
    assert await bench.step("test", *FIELDS) == "failed"
    assert outcomes(bench)["test_b.py"] == "error"


@pytest.mark.parametrize("files", [{"a.py": "x = 1\n"}, {"a.py": "", "pytest.ini": "[pytest]\n"}])
async def test_a_repository_without_tests_is_no_error(bench: Any, files: dict[str, str]) -> None:
    bench.write(files)
    await bench.ready()
    assert await bench.step("test", *FIELDS) == "passed"
    assert bench.item["tests"]["status"] == "no tests"
    assert bench.item["tests"]["total"] == 0


HANG = """
import subprocess, threading
def test_first(): pass
def test_hangs():
    child = subprocess.Popen(["sh", "-c", "echo up; exec sleep 1000.0419"], stdout=subprocess.PIPE)
    child.stdout.readline()
    threading.Event().wait()
def test_never(): pass
"""


@pytest.mark.integration
async def test_a_hang_is_cut_off_with_what_was_known_and_leaves_no_process(bench: Any) -> None:
    bench.write({"test_hang.py": HANG})
    await bench.ready()
    with pytest.raises(NodeError) as caught:
        await bench.step("test", *FIELDS, timeout=4)
    error = caught.value
    assert error.code == "pipeline.test.timeout"
    assert "1 of 3 had ended" in error.message
    assert "test_hang.py::test_hangs was running" in error.message
    assert error.hint
    results = json.loads(bench.content(error.details["results"]))
    assert [case["id"] for case in results] == ["test_hang.py::test_first"]
    assert have_ended(marked("1000.0419"))
    assert not list(bench.work_dir.glob("tests-*"))


@pytest.mark.integration
async def test_a_hang_can_be_a_result_instead(bench: Any) -> None:
    bench.write({"test_hang.py": HANG})
    await bench.ready()
    assert await bench.step("test", *FIELDS, timeout=4, on_hang="report") == "failed"
    tests = bench.item["tests"]
    assert tests["status"] == "timeout"
    assert tests["running"] == "test_hang.py::test_hangs"
    assert tests["error"]["code"] == "pipeline.test.timeout"


async def test_a_cancelled_run_ends_with_its_children(bench: Any) -> None:
    # The suite may read what is in the environment: when it opens this, our end opens.
    fifo = bench.work_dir / "environment" / "fifo"
    bench.write({"test_hang.py": HANG.replace("threading.Event().wait()", f"open({str(fifo)!r}).read()")})
    await bench.ready()
    os.mkfifo(fifo)

    async def cancel_when_it_hangs() -> dict[int, int]:
        with await asyncio.to_thread(fifo.open, "w"):
            found = marked("1000.0419")
            bench.cancel.trigger()
            return found

    asking = asyncio.create_task(cancel_when_it_hangs())
    with pytest.raises(NodeError) as caught:
        await bench.step("test", *FIELDS)
    found = await asking
    assert caught.value.code == "node.cancelled"
    assert found
    assert have_ended(found)


async def test_settings_of_folders_above_do_not_count(bench: Any) -> None:
    bench.work_dir.mkdir(parents=True)
    (bench.work_dir.parent / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (bench.work_dir.parent / "conftest.py").write_text("raise RuntimeError('read')\n")
    bench.write({"test_a.py": "def test_a(): pass\n"})
    await bench.ready()
    assert await bench.step("test", *FIELDS) == "passed"
    assert outcomes(bench) == {"test_a.py::test_a": "passed"}


async def test_settings_of_the_repository_count_and_broken_ones_are_told(bench: Any) -> None:
    bench.write({"test_a.py": "def test_a(): pass\n", "pytest.ini": "[pytest]\naddopts = --no-such-option\n"})
    await bench.ready()
    assert await bench.step("test", *FIELDS) == "failed"
    tests = bench.item["tests"]
    assert tests["status"] == "broken"
    assert tests["error"]["code"] == "pipeline.test.broken"
    assert b"--no-such-option" in bench.content(tests["log"])


async def test_tests_see_neither_the_users_secrets_nor_home(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET_TOKEN", "hidden")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    home = Path.home()
    bench.write(
        {
            "test_env.py": "import os, pathlib\n"
            "def test_env():\n"
            "    assert 'MY_SECRET_TOKEN' not in os.environ\n"
            "    assert '/nowhere' not in os.environ['PYTHONPATH']\n"
            f"    assert pathlib.Path.home() != pathlib.Path({str(home)!r})\n"
        }
    )
    await bench.ready()
    assert await bench.step("test", *FIELDS) == "passed", bench.item["tests"]["failing"]


async def test_progress_and_failing_tests_are_told_while_the_suite_runs(bench: Any) -> None:
    bench.write(
        {
            "test_a.py": "import time\ndef test_a(): assert False\ndef test_b(): time.sleep(1)\n",
            "pytest.ini": "[pytest]\n",
        }
    )
    await bench.ready()
    await bench.step("test", *FIELDS)
    assert "failed: test_a.py::test_a" in bench.messages
    assert (0.5, "1 of 2 tests") in bench.last.progress


async def test_a_baseline_turns_old_failures_into_no_failure(bench: Any) -> None:
    bench.write({"test_a.py": "def test_bad(): assert False\ndef test_good(): pass\n"})
    await bench.ready()
    assert await bench.step("test", *FIELDS, into="baseline") == "failed"
    assert await bench.step("test", *FIELDS, "baseline") == "passed"
    assert bench.item["tests"]["regressions"] == []
