"""The set-up script's own decisions: what is current, what is pinned, what is made anew."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "setup.py"


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module that works on an empty copy instead of this one."""
    spec = importlib.util.spec_from_file_location("set_up_under_test", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(module, "STAMPS", tmp_path / ".venv" / ".stamps")
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    return module


def environment(root: Path, made_at: Path) -> None:
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (root / ".venv" / "pyvenv.cfg").write_text(f"version = 3.11.7\ncommand = python -m venv --clear {made_at}/.venv\n")


def stage(module: ModuleType, runs: list[str], key: list[str], fails: bool = False) -> None:
    def run(_: str) -> None:
        runs.append(key[0])
        if fails:
            raise module.SetupFailed("no")

    module.STAGES = (module.Stage(name="only", made_from=lambda: key[0], run=run),)


def test_a_stage_runs_once_and_again_only_when_what_it_is_made_from_changes(setup: ModuleType, tmp_path: Path) -> None:
    environment(tmp_path, tmp_path)
    runs: list[str] = []
    key = ["a"]
    stage(setup, runs, key)
    assert (setup.main(), setup.main(), runs) == (0, 0, ["a"])
    key[0] = "b"
    assert (setup.main(), runs) == (0, ["a", "b"])


def test_a_stage_that_failed_runs_again(setup: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment(tmp_path, tmp_path)
    runs: list[str] = []
    stage(setup, runs, ["a"], fails=True)
    assert (setup.main(), setup.main(), runs) == (1, 1, ["a", "a"])
    assert "set-up failed: no" in capsys.readouterr().err


def test_an_environment_of_a_moved_copy_is_not_usable(setup: ModuleType, tmp_path: Path) -> None:
    environment(tmp_path, tmp_path / "elsewhere")
    assert not setup.environment_is_usable()


def test_an_environment_whose_python_is_gone_is_not_usable(setup: ModuleType, tmp_path: Path) -> None:
    environment(tmp_path, tmp_path)
    assert setup.environment_is_usable()
    setup.PYTHON.unlink()
    setup.PYTHON.symlink_to(tmp_path / "gone")
    assert not setup.environment_is_usable()


def test_the_pin_of_a_package_comes_with_its_hashes(setup: ModuleType, tmp_path: Path) -> None:
    setup.LOCKED = tmp_path / "locked.txt"
    setup.LOCKED.write_text(
        "a==1 \\\n    --hash=sha256:aa\nuv==2 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\nz==3\n"
    )
    assert setup.pin_of("uv") == "uv==2 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"


def test_a_renamed_source_changes_the_hash(setup: ModuleType, tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("same")
    second.write_text("same")
    assert setup.digest([first]) != setup.digest([second])
