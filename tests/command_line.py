"""The command line in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyagent.cli.commands import run

Command = Callable[..., tuple[int, str, str]]
"""Runs a command line, and gives its exit code, output and errors."""


def command_line(capsys: pytest.CaptureFixture[str]) -> Command:
    """Command lines whose output the test gets."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(arguments)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return call
