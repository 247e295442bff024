"""Programs that bring packages or tell of the machine see what they need of the user's environment, and no secrets."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pyagent.errors import SetupError
from pyagent.native import MetricRegistry
from pyagent.runtime import _luxon
from pyagent.runtime.machine import MachineMetrics
from pyagent.sdk import _onnx_model
from pyagent.sdk.environment import CLIENT_VARIABLES, NPM_VARIABLES, user_environment

SECRETS = ("UV_PUBLISH_TOKEN", "AWS_SECRET_ACCESS_KEY", "PYAGENT_VAULT_PASSPHRASE", "PYAGENT_CREDENTIAL_MAIL")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "treasure")
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.example/simple")
    monkeypatch.setenv("npm_config_registry", "https://packages.example/npm")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")


def test_clients_see_where_packages_come_from_and_not_what_may_publish_them() -> None:
    found = user_environment(CLIENT_VARIABLES, {"MORE": "1"})
    assert (found["PIP_INDEX_URL"], found["https_proxy"], found["MORE"]) == (
        "https://packages.example/simple", "http://proxy.example:3128", "1",
    )  # fmt: skip
    assert "treasure" not in found.values()
    assert "npm_config_registry" not in found
    assert user_environment(NPM_VARIABLES)["npm_config_registry"] == "https://packages.example/npm"


@pytest.mark.parametrize("fetch", ["luxon", "model"])
def test_what_fetches_packages_gets_no_secrets(fetch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, str]] = []

    def run(command: Any, *, env: dict[str, str], **_: Any) -> None:
        given.append(env)
        raise subprocess.SubprocessError("not here")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(SetupError):
        _luxon.fetch() if fetch == "luxon" else _onnx_model._fetch(tmp_path)  # pyright: ignore[reportPrivateUsage]
    assert "treasure" not in given[0].values()
    assert given[0]["https_proxy"] == "http://proxy.example:3128"


async def test_the_program_that_tells_of_graphics_cards_gets_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert shutil.which("nvidia-smi") == str(program)
    await MachineMetrics(MetricRegistry("test")).look()
    assert "treasure" not in (tmp_path / "seen").read_text()
