"""`pyagent token …`: made, narrowed, listed, revoked."""

from __future__ import annotations

import io
import json
import sys

import pytest

from command_line import Command
from pyagent.cli.exits import Exit
from pyagent.vault import TokenRevoked, require_vault


def test_a_token_is_printed_once_narrowed_without_the_vault_and_revoked_by_the_first_of_its_id(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("vault", "init")
    line = ["--can", "run", "--can", "read", "--expires", "1h", "--graph", "greet", "--label", "for CI"]
    code, out, told = command("token", "new", *line)
    text = out.strip()
    assert (code, text.startswith("pat1_"), "read, run with greet" in told) == (Exit.DONE, True, True)
    grant = require_vault().verify(text)
    assert (grant.capabilities, grant.graphs, grant.label) == ({"read", "run"}, {"greet"}, "for CI")
    monkeypatch.setattr(sys, "stdin", io.StringIO(text + "\n"))
    code, out, _ = command("token", "narrow", "--can", "read", "--expires", "10m", "--json")
    less = require_vault().verify(json.loads(out)["token"])
    assert (less.capabilities, less.graphs) == ({"read"}, {"greet"})
    assert less.expires < grant.expires
    _, out, _ = command("token", "list")
    assert "for CI" in out
    assert text not in out
    [row] = json.loads(command("token", "list", "--json")[1])
    assert (row["can"], row["revoked"]) == (["read", "run"], None)
    assert command("token", "revoke", row["id"][:8])[0] == Exit.DONE
    with pytest.raises(TokenRevoked):
        require_vault().verify(text)
    assert "revoked" in command("token", "list")[1]
    assert command("token", "revoke", less.ids[-1])[0] == Exit.DONE, "one that was narrowed elsewhere"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["new"], "input.capability"),
        (["new", "--can", "everything"], "input.capability"),
        (["new", "--can", "read", "--expires", "soon"], "input.syntax"),
        (["new", "--can", "read", "--label", "x" * 300], "vault.invalid"),
        (["revoke", "abcdef"], "token.not_found"),
        (["revoke", ""], "token.not_found"),
        (["narrow", "--can", "read"], "vault.token"),
    ],
)
def test_what_is_no_token_is_told(
    command: Command, monkeypatch: pytest.MonkeyPatch, line: list[str], code: str
) -> None:
    command("vault", "init")
    monkeypatch.setattr(sys, "stdin", io.StringIO("pat1_AAAA"))
    status, _, error = command("token", *line)
    assert status != Exit.DONE
    assert code in error


def test_without_a_vault_no_token_is_made(command: Command) -> None:
    assert "vault.absent" in command("token", "new", "--can", "read")[2]
