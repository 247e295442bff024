"""The pipeline on real packages and on planted repositories, through the engine, with and without network.

What the packages' tests give is compared by id and outcome with the package's documented command, run in an
environment made apart from the pipeline.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
UV = BIN / "uv"


class Package(NamedTuple):
    """A release with tests of its own, and how its documentation says to run them."""

    release: str
    sha256: str
    install: tuple[str, ...]
    """What its documentation installs for the tests, from the source's root."""
    command: tuple[str, ...]
    tests: int
    """Tests there are at least, so that an empty comparison cannot pass."""


PACKAGES = (
    # tox.ini: extras `tests`, deps babel; `{envpython} -m pytest`
    Package(
        "humanize==4.17.0", "1d6a36c453dbfbb3f0b34601d2e0b4ce5d48d780305cd45714843f0068fde6ac",
        ("-e", ".[tests]", "babel"), ("-m", "pytest", "-v"), 900,
    ),
    # tox.ini: deps -r requirements/tests.txt; `pytest -v`
    Package(
        "itsdangerous==2.2.0", "e0050c0b7da1eea53ffaf149c0cfbb5c6e2e2b69c4bef22c81fa6eb73e5f6173",
        ("-e", ".", "-r", "requirements/tests.txt"), ("-m", "pytest", "-v"), 290,
    ),
    # tox.ini and Makefile: `python -m unittest -v`
    Package(
        "more-itertools==11.2.1", "cbf08fd0af284dc69718b9b76a8e6203df624d70209ea511e4219d350c856f63",
        ("-e", "."), ("-m", "unittest", "-v"), 920,
    ),
)  # fmt: skip
_PYTEST_LINE = re.compile(
    r"^(?P<id>\S.*?)(?P<doctest>) "
    r"(?P<outcome>PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)(?: \(.*\))?(?:\s+\[\s*\d+%\])?\s*$",
    re.MULTILINE,
)
_UNITTEST_LINE = re.compile(
    r"^(?:\w+ \((?P<id>[\w.]+)\)(?:\n(?!Doctest: )[^\n]*?)?|Doctest: (?P<doctest>[\w.]+)) \.\.\. "
    r"(?P<outcome>ok|FAIL|ERROR|skipped .*|expected failure|unexpected success)$",
    re.MULTILINE,
)
_WORDS = {
    "PASSED": "passed", "FAILED": "failed", "ERROR": "error", "SKIPPED": "skipped", "XFAIL": "xfailed",
    "XPASS": "xpassed", "ok": "passed", "FAIL": "failed", "expected failure": "xfailed",
    "unexpected success": "xpassed",
}  # fmt: skip


class Home:
    """A user with caches and a data folder of their own, who runs `pyagent`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"

    def environment(self, *, online: bool) -> dict[str, str]:
        """The user's environment; without network every connection is refused."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYAGENT_")}
        away = {} if online else dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
        return {
            **kept, **away, "XDG_CACHE_HOME": str(self.cache), "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_STATE_HOME": str(self.folder / "state"), "NO_COLOR": "1",
        }  # fmt: skip

    def run(self, *arguments: str, online: bool = True, timeout: float = 500) -> subprocess.CompletedProcess[str]:
        """`pyagent run` on the main graph, in the home."""
        return subprocess.run(
            [BIN / "pyagent", "run", ROOT / "graphs" / "code_test_audit_docs.yaml", *arguments],
            cwd=self.folder, env=self.environment(online=online), capture_output=True, text=True, timeout=timeout,
            check=False,
        )  # fmt: skip

    def report(self, repository: str, *arguments: str, online: bool = True) -> tuple[dict[str, Any], Path]:
        """Run the graph to its end and read its report."""
        output = self.folder / f"report-{len(list(self.folder.glob('report-*')))}"
        done = self.run(
            "--yes", "--input", f"repository={repository}", "--input", f"output={output}", *arguments, online=online
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads((output / "report.json").read_text()), output


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One user for all tests here: what one has cached, the next finds."""
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture
def nothing_left(home: Home) -> Iterator[None]:
    """After the test no work tree and no process of it is left."""
    yield
    assert not list(home.folder.glob("**/environment/pyvenv.cfg"))
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            assert str(home.cache / "pyagent" / "work").encode() not in command


def documented_results(package: Package, folder: Path, home: Home) -> dict[str, str]:
    """Outcome by test id, by the package's own command in an environment of its own."""
    archive = next((home.cache / "pyagent" / "sources" / package.sha256).iterdir())
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    (tree,) = folder.iterdir()
    venv = folder / "apart"
    environment = home.environment(online=True)
    subprocess.run([UV, "venv", "--quiet", "--no-project", "--python", sys.executable, venv], check=True)
    subprocess.run(
        [UV, "pip", "install", "--quiet", "--python", venv / "bin" / "python", *package.install],
        cwd=tree, env=environment, check=True,
    )  # fmt: skip
    done = subprocess.run(
        [venv / "bin" / "python", *package.command], cwd=tree, capture_output=True, text=True, check=False,
        env={**environment, "COLUMNS": "500", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    pattern = _PYTEST_LINE if "pytest" in package.command else _UNITTEST_LINE
    found: dict[str, str] = {}
    for match in pattern.finditer(done.stdout + done.stderr):
        word = match["outcome"]
        test = match["id"] or match["doctest"]
        found[test] = "skipped" if word.lower().startswith("skipped") else _WORDS[word]
    return found


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.release)
@pytest.mark.usefixtures("nothing_left")
def test_results_agree_with_the_documented_command_and_a_second_run_needs_no_network(
    package: Package, home: Home, tmp_path: Path
) -> None:
    repository = f"{package.release} --hash=sha256:{package.sha256}"
    first, output = home.report(repository)
    assert first["source"]["sha256"] == package.sha256
    expected = documented_results(package, tmp_path, home)
    assert len(expected) >= package.tests
    for name in ("before", "after"):
        if name == "after" and first["tests"]["after"] is None:
            assert first["changes"]["files"] == []
            continue
        found = json.loads((output / f"tests-{name}.json").read_text())
        assert {case["id"]: case["outcome"] for case in found} == expected
    assert first["tests"]["regressions"] == []
    assert first["docs"]["functions"] > 0
    assert (output / "docs" / "index.html").is_file()

    second, _ = home.report(repository, online=False)
    for name in ("run", "times"):
        del first[name], second[name]
    assert second == first


PLANTED = {
    "pyproject.toml": '[build-system]\nrequires = ["flit_core<4"]\nbuild-backend = "flit_core.buildapi"\n'
    '[project]\nname = "planted"\nversion = "1.0"\ndescription = "Its formatting breaks a test"\n'
    '[dependency-groups]\ntest = ["pytest"]\n',
    "src/planted/__init__.py": '"""Planted."""\n',
    "src/planted/quotes.py": "import inspect\n\n\ndef shown():\n    return  'single'\n\n\n"
    "def source():\n    return inspect.getsource(shown)\n\n\ndef  tidy( a ):\n    return { 'a':a }\n",
    "tests/test_planted.py": "from planted.quotes import source, tidy\n\n"
    "def test_source_is_as_written():\n    assert \"return  'single'\" in source()\n\n"
    "def test_tidy():\n    assert tidy(1) == {'a':1}\n",
}
HANGING = {
    "test_hang.py": "import inspect, threading\n\ndef  shown( ): pass\n\ndef test_first(): pass\n\n"
    "def test_waits():\n    if 'shown( )' not in inspect.getsource(shown):\n        threading.Event().wait()\n\n"
    "def test_last(): pass\n",
    "pytest.ini": "[pytest]\n",
}


def plant(folder: Path, files: Mapping[str, str]) -> str:
    """Write a repository."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(folder)


@pytest.mark.usefixtures("nothing_left")
def test_a_planted_repository_shows_the_repair_loop(home: Home, tmp_path: Path) -> None:
    repository = plant(tmp_path / "planted", PLANTED)
    before = {path: path.read_bytes() for path in Path(repository).rglob("*.*")}
    found, output = home.report(repository)
    assert found["tests"]["before"]["counts"] == found["tests"]["after"]["counts"] == {"passed": 2}
    changes = found["changes"]
    assert changes["reverted"] == ["src/planted/quotes.py#1"]
    assert changes["rounds"] == 1
    assert "test_source_is_as_written" in changes["notes"][0]
    patch = (output / "changes.patch").read_text()
    assert "+def tidy(a):" in patch
    assert not re.search(r"^[-+].*single", patch, re.MULTILINE)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.usefixtures("nothing_left")
def test_a_patch_that_makes_a_test_hang_is_taken_back(home: Home, tmp_path: Path) -> None:
    repository = plant(tmp_path / "hanging", HANGING)
    found, _ = home.report(repository, "--input", "timeout=10")
    assert found["tests"]["after"]["counts"] == {"passed": 3}
    # Two hunks that only make sense together: one takes the old line away, the other puts the new one in its place.
    assert found["changes"]["reverted"] == ["test_hang.py#2", "test_hang.py#3"]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (None, "pipeline.fetch.not_found"),
        ({"readme.txt": "no code"}, "pipeline.fetch.not_a_repository"),
        ({"test_a.py": "import threading\ndef test_a(): threading.Event().wait()\n"}, "pipeline.test.timeout"),
        (
            {**PLANTED, "pyproject.toml": "[build-system]\nrequires=[]\nbuild-backend='missing'\n"},
            "pipeline.environment.failed",
        ),
        (
            {
                **PLANTED,
                "pyproject.toml": PLANTED["pyproject.toml"] + '[project.optional-dependencies]\ntest=["no==="]\n',
            },
            "pipeline.environment.failed",
        ),
    ],
    ids=["no folder", "no repository", "hang", "does not build", "bad requirement"],
)
@pytest.mark.usefixtures("nothing_left")
def test_bad_input_ends_with_a_code_and_a_hint(
    home: Home, tmp_path: Path, files: dict[str, str] | None, code: str
) -> None:
    folder = tmp_path / "bad"
    if files is not None:
        plant(folder, files)
    done = home.run("--yes", "--input", f"repository={folder}", "--input", "timeout=10")
    assert done.returncode != 0
    assert code in done.stdout + done.stderr


@pytest.mark.usefixtures("nothing_left")
def test_a_release_that_does_not_exist_is_told_apart_from_no_network(home: Home) -> None:
    done = home.run("--yes", "--input", "repository=humanize==0.0.0.99")
    assert "pipeline.fetch.not_found" in done.stdout + done.stderr
    done = home.run("--yes", "--input", "repository=humanize==0.0.0.99", online=False)
    assert "pipeline.fetch.no_network" in done.stdout + done.stderr


@pytest.mark.usefixtures("nothing_left")
def test_a_repository_without_tests_gets_its_report(home: Home, tmp_path: Path) -> None:
    found, _ = home.report(plant(tmp_path / "bare", {"thing.py": "def  f( ): pass\n"}))
    assert found["verdict"] == "no tests"
    assert found["tests"]["before"]["status"] == "no tests"
    assert [file["path"] for file in found["changes"]["files"]] == ["thing.py"]


@pytest.mark.usefixtures("nothing_left")
def test_a_patch_that_a_person_rejects_is_not_kept(home: Home, tmp_path: Path) -> None:
    repository = plant(tmp_path / "asked", {"thing.py": "def  f( ): pass\n"})
    output = tmp_path / "report"
    inputs = {"repository": repository, "approve": True, "output": str(output)}
    waiting = home.run("--yes", "--json", "--input-json", json.dumps(inputs))
    run = json.loads(waiting.stdout.splitlines()[-1])["run"]
    assert run["status"] == "waiting"
    for command in (["approve", run["id"], "--reject"], ["resume", run["id"]]):
        subprocess.run(
            [BIN / "pyagent", *command], cwd=home.folder, env=home.environment(online=True), check=True,
            capture_output=True,
        )  # fmt: skip
    report = json.loads((output / "report.json").read_text())
    assert report["changes"]["kept"] is False
    assert not (output / "changes.patch").exists()
