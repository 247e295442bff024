"""Repositories that behave badly: each gets its report or ends with a code and a hint, and leaves nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from programs.attacked import ESCAPE, Ended, User

pytestmark = pytest.mark.integration

PIPELINE = str(Path(__file__).parents[2] / "graphs" / "code_test_audit_docs.yaml")
TEST = "def test_a(): pass\n"
DAEMON = f"""\
import os, subprocess, sys
def test_a():
    code = "import signal; signal.signal(15, signal.SIG_IGN)\\n" + {ESCAPE!r}
    subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    subprocess.Popen(["sh", "-c", "trap '' TERM HUP; while :; do sleep 1; done"], start_new_session=True)
"""
REPOSITORIES: dict[str, tuple[dict[str, str | bytes], str]] = {
    "tests that leave daemons": ({"test_a.py": DAEMON}, "good"),
    "tests that remove the tree": (
        {"test_a.py": "import os, shutil\ndef test_a(): shutil.rmtree(os.path.dirname(__file__))\n", "x.py": "x=1\n"},
        "failing tests",
    ),
    "tests that remove a source and put a folder in its place": (
        {"test_a.py": "import os\ndef test_a():\n if os.path.isfile('x.py'): os.unlink('x.py')\n"
         " os.makedirs('x.py', exist_ok=True)\n", "x.py": "x=1\n"},
        "good",
    ),
    "tests that put a link in a source's place": (
        {"test_a.py": "import os\ndef test_a():\n if not os.path.islink('x.py'):\n  os.unlink('x.py')\n"
         "  os.symlink(os.path.expanduser('~/mine'), 'x.py')\n", "x.py": "x=1\n"},
        "good",
    ),
    "tests that change a source": (
        {"test_a.py": "def test_a(): open('x.py', 'wb').write(b'\\xff')\n", "x.py": "x=1\n"}, "good",
    ),
    "plugins that are missing": (
        {"test_a.py": TEST, "pytest.ini": "[pytest]\naddopts = --cov=x -n 4\nrequired_plugins = pytest-nonsense\n"},
        "failing tests",
    ),
    "tests that end the runner": ({"test_a.py": "import os\ndef test_a(): os._exit(0)\n"}, "failing tests"),
    "tests that crash": ({"test_a.py": "import os\ndef test_a(): os.abort()\n"}, "failing tests"),
    "no tests": ({"x.py": "x=1\n"}, "no tests"),
    "sources in other encodings": (
        {
            "test_a.py": TEST, "a.py": b"# caf\xe9\nx = '\xe9'\n", "c.py": b"\0\1\2", "d.py": b"\xef\xbb\xbfx  = 1\n",
            "b.py": b"# -*- coding: latin-1 -*-\nx  =  '\xe9'\n", "e.py": b"x  = 1\r\ny=2\r\n", "f.py": "print 'x'\n",
        },
        "good",
    ),
    "names that nobody expects": (
        {"test_a.py": TEST, "a\nb.py": "x=1\n", "-rf.py": "x=1\n", "\x1b[31m.py": "x=1\n", "\udcff.py": "x=1\n",
         "<script>.py": "x=1\n"},
        "good",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> User:
    """One user for all repositories: what is downloaded for one is there for the next."""
    return User(tmp_path_factory.mktemp("keeper"))


def audited(keeper: User, repository: str | Path, *arguments: str, timeout: float = 100) -> Ended:
    """The main graph on a repository; checks that nothing of it is left."""
    given = ("--yes", "--input", f"repository={repository}", "--input", f"output={keeper.home / 'report'}")
    done = keeper.pyagent("run", PIPELINE, *given, "--input", "timeout=20", *arguments, timeout=timeout)
    keeper.nothing_left()
    return done.without_defects()


@pytest.mark.parametrize("name", REPOSITORIES)
def test_a_repository_that_behaves_badly_gets_its_report(name: str, keeper: User, tmp_path: Path) -> None:
    files, verdict = REPOSITORIES[name]
    for path, content in files.items():
        (tmp_path / path).write_bytes(content.encode() if isinstance(content, str) else content)
    keeper.file("mine", "mine")
    before = {path: path.read_bytes() for path in (*tmp_path.iterdir(), keeper.home / "mine")}
    done = audited(keeper, tmp_path)
    assert done.code == 0, done.text
    assert json.loads((keeper.home / "report" / "report.json").read_text())["verdict"] == verdict
    assert {path: path.read_bytes() for path in (*tmp_path.iterdir(), keeper.home / "mine")} == before


def test_links_pipes_and_large_files_do_not_lead_out_of_a_repository(keeper: User, tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(TEST)
    for name, target in {"etc": "/etc", "p.py": "/etc/passwd", "loop": "loop", "self": str(tmp_path)}.items():
        (tmp_path / name).symlink_to(target)
    os.mkfifo(tmp_path / "pipe")
    assert audited(keeper, tmp_path).code == 0
    assert "root:" not in (keeper.home / "report" / "report.json").read_text()
    with (tmp_path / "big.bin").open("wb") as file:
        file.truncate(1500 << 20)
    audited(keeper, tmp_path).said("pipeline.fetch.too_large", 1)


@pytest.mark.parametrize(
    ("repository", "code"),
    [("/none/none", "pipeline.fetch."), ("a b; rm -rf /", "pipeline.fetch."), ("", "input.params"),
     ("--index-url=http://127.0.0.1:1 x==1", "pipeline.fetch."), ("x\ny==1", "pipeline.fetch.")],
)  # fmt: skip
def test_what_is_no_repository_is_told(repository: str, code: str, keeper: User) -> None:
    audited(keeper, repository).said(code, 1)


@pytest.mark.parametrize(
    ("setup", "code"),
    [("raise SystemExit('no')\n", "pipeline.environment.failed"), (None, "pipeline.test.timeout")],
    ids=["setup.py that fails", "tests that hang"],
)
def test_a_repository_that_cannot_be_tested_fails_the_run(
    setup: str | None, code: str, keeper: User, tmp_path: Path
) -> None:
    (tmp_path / "test_a.py").write_text(TEST if setup else "import threading\ndef test_a(): threading.Event().wait()\n")
    if setup:
        (tmp_path / "setup.py").write_text(setup)
    audited(keeper, tmp_path, "--input", "timeout=3").said(code, 1)


def test_an_empty_folder_is_no_repository(keeper: User, tmp_path: Path) -> None:
    audited(keeper, tmp_path).said("pipeline.fetch.not_a_repository", 1)
