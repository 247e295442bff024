"""The typed stub of the compiled module says what the module has."""

from __future__ import annotations

import subprocess
import sys


def test_the_stub_matches_the_compiled_module() -> None:
    command = [sys.executable, "-m", "mypy.stubtest", "pyagent_core._native"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert result.returncode == 0, result.stdout + result.stderr
