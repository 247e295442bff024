"""What the compiled module is made of: licences, sources, banned crates, and known advisories where they can be had."""

from __future__ import annotations

import os

import pytest

from rust_tools import cargo, tool

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

DENY = "0.20.2"


def deny(*arguments: str, online: bool = False) -> tuple[int, str]:
    path = f"{tool('cargo-deny', DENY)}:{os.environ['PATH']}"
    found = cargo("deny", *([] if online else ["--offline"]), "--color", "never", "check", *arguments, PATH=path)
    return found.returncode, found.stdout + found.stderr


@pytest.mark.parametrize("subject", ["licenses", "bans", "sources"])
def test_crates_are_such_as_may_be_compiled_in(subject: str) -> None:
    code, said = deny(subject)
    assert code == 0, said


def test_no_crate_has_a_known_advisory() -> None:
    code, said = deny("advisories", online=True)
    if "failed to fetch advisory database" in said:
        pytest.skip("the database of advisories cannot be reached from here")
    assert code == 0, said
