"""Which folders an interpreter opens to what runs in its sandbox: what Python has there, and no neighbour's secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyagent.sdk.sandbox import interpreter_places


def environment(folder: Path, home: str, base: Path) -> Path:
    """A virtual environment as its files tell it; its interpreter."""
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text(f"home = {home}\n")
    (folder / "bin" / "python").symlink_to(base)
    return folder / "bin" / "python"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """An interpreter in a folder that other programs keep their data in, too; with that data."""
    prefix = tmp_path / "local"
    for name in ("bin", "lib/python3.11", "share/pyagent"):
        (prefix / name).mkdir(parents=True)
    (prefix / "bin" / "python3.11").touch()
    (prefix / "share" / "pyagent" / "server-token").write_text("treasure")
    return prefix / "bin" / "python3.11"


def shown(places: tuple[Path, ...], path: Path) -> bool:
    return any(path.is_relative_to(place) for place in places)


def test_an_interpreter_shows_its_library_and_not_what_lies_beside_it(base: Path):
    places = interpreter_places(base)
    assert shown(places, base)
    assert shown(places, base.parent.parent / "lib" / "python3.11" / "os.py")
    assert not shown(places, base.parent.parent / "share" / "pyagent" / "server-token")


def test_an_environment_is_shown_whole_with_the_library_of_its_base(tmp_path: Path, base: Path):
    python = environment(tmp_path / "venv", str(base.parent), base)
    places = interpreter_places(python)
    assert shown(places, tmp_path / "venv" / "share" / "jupyter" / "kernel.json")
    assert shown(places, base.parent.parent / "lib" / "python3.11" / "os.py")
    assert not shown(places, base.parent.parent / "share" / "pyagent" / "server-token")


@pytest.mark.parametrize("ending", ["bin", "x", "../secrets/bin"])
def test_an_environment_cannot_say_that_its_python_comes_from_a_folder_of_secrets(
    tmp_path: Path, base: Path, ending: str
):
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "id_ed25519").write_text("treasure")
    python = environment(tmp_path / "venv", f"{secrets}/{ending}", base)
    assert not shown(interpreter_places(python), secrets / "id_ed25519")
    (python.parent / "python").unlink()
    (python.parent / "python").symlink_to(secrets / "bin" / "python")
    assert not shown(interpreter_places(python), secrets / "id_ed25519")
