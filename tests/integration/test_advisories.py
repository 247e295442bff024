"""The first graph asks an advisory server on loopback, and tells the truth about what it says and about its silence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pyagent.testing.advisory_server import AdvisoryServer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
REPOSITORY = {
    "pyproject.toml": '[build-system]\nrequires = ["flit_core<4"]\nbuild-backend = "flit_core.buildapi"\n'
    '[project]\nname = "planted"\nversion = "1.0"\ndescription = "Depends on a pinned package"\n'
    'dependencies = ["itsdangerous==2.2.0"]\n[dependency-groups]\ntest = ["pytest"]\n',
    "src/planted/__init__.py": '"""Planted."""\n',
    "tests/test_planted.py": "def test_it():\n    assert True\n",
}


def test_a_planted_advisory_for_a_pinned_package_is_found_and_a_silent_server_is_not_taken_for_clean(
    tmp_path: Path,
) -> None:
    for name, content in REPOSITORY.items():
        path = tmp_path / "repository" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    with AdvisoryServer() as server:
        server.plant("GHSA-planted", "ItsDangerous", introduced="2.0", fixed="9.0", severity="CRITICAL")
        server.plant("GHSA-older", "itsdangerous", fixed="2.2.0")
        check, found = audited(tmp_path, server.url, allowed=True)
        assert check["status"] == "checked"
        assert check["by"].endswith(f"packages asked of {server.url}")
        assert [(one["rule"], one["severity"]) for one in found] == [("GHSA-planted", "critical")]

        asked = len(server.http.requests)
        check, found = audited(tmp_path, server.url, allowed=False)
        assert (check["status"], found) == ("not checked", [])
        assert "an address of the inside" in check["reason"]
        assert len(server.http.requests) == asked

        server.behaviour = "down"
        check, found = audited(tmp_path, server.url, allowed=True)
        assert (check["status"], found) == ("not checked", [])
        assert "503" in check["reason"]


def audited(folder: Path, advisories: str, *, allowed: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the graph's report says of the dependencies: the check, and its findings."""
    output = folder / f"report-{len(list(folder.glob('report-*')))}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYAGENT_")}
    inputs = {"repository": folder / "repository", "output": output, "advisories": advisories}
    done = subprocess.run(
        [
            Path(sys.executable).parent / "pyagent", "run", ROOT / "graphs" / "code_test_audit_docs.yaml", "--yes",
            *(word for name, value in inputs.items() for word in ("--input", f"{name}={value}")),
        ],
        cwd=folder, capture_output=True, text=True, timeout=500, check=False,
        env={
            **kept, "XDG_CACHE_HOME": str(folder / "cache"), "XDG_DATA_HOME": str(folder / "data"), "NO_COLOR": "1",
            **({"PYAGENT_ALLOW_PRIVATE": "127.0.0.1"} if allowed else {}),
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    audit = json.loads((output / "report.json").read_text())["audit"]
    [check] = [one for one in audit["checks"] if one["name"] == "dependencies"]
    return check, [one for one in audit["findings"] if one["check"] == "dependencies"]
