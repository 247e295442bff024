"""`pyagent vault …`: values come from a pipe or a terminal, and leave only to a terminal that agreed."""

from __future__ import annotations

import getpass
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from command_line import Command
from pyagent import vault as vaults
from pyagent.cli.exits import Exit

SECRET = "correct-horse-battery"
ASKING = """
pyagent: 1
id: asking
nodes:
  - {id: get, use: io.http@1, with: {url: "https://example.com", auth: {as: bearer, credential: api}}}
edges: []
"""


class Terminal(io.StringIO):
    """A standard input that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Gives the next command a standard input."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Somebody at a terminal who answers in this order; gives the hidden questions."""

    def type_(*answers: str) -> list[str]:
        left: Iterator[str] = iter(answers)
        hidden: list[str] = []
        monkeypatch.setattr(sys, "stdin", Terminal())
        monkeypatch.setattr("builtins.input", lambda question: next(left))
        monkeypatch.setattr(getpass, "getpass", lambda question: (hidden.append(question), next(left))[1])
        return hidden

    return type_


def test_a_credential_goes_in_by_a_pipe_and_no_command_gives_it_back(
    command: Command, pipe: Callable[[str], None], folder: Path
) -> None:
    code, out, _ = command("vault", "init")
    assert (code, "credentials.vault.key opens it" in out) == (Exit.DONE, True)
    assert (folder / "credentials.vault.key").stat().st_mode & 0o777 == 0o600
    (folder / "asking.yaml").write_text(ASKING)
    pipe(json.dumps({"token": SECRET, "hosts": "example.com"}))
    assert command("vault", "set", "API", "--kind", "http_bearer")[0] == Exit.DONE
    pipe(f"{SECRET}-2\n")
    assert "version 2" in command("vault", "set", "api")[1]
    said = ""
    for line in (["list"], ["list", "--json"], ["get", "api"], ["get", "api", "--json"], ["test", "api"], ["rotate"]):
        said += "".join(map(str, command("vault", *line)))
    said += "".join(map(str, command("doctor"))) + "".join(map(str, command("settings", "--json")))
    assert SECRET not in said
    row = json.loads(command("vault", "list", "--json")[1])[0]
    assert (row["name"], row["kind"], row["fields"], row["graphs"]) == ("api", "http_bearer", ["token"], ["asking"])
    code, out, _ = command("vault", "remove", "api")
    assert (code, "asking still asks for it" in out) == (Exit.DONE, True)
    assert json.loads(command("vault", "list", "--json")[1])[0]["kind"] is None, "a graph asks for what is not there"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "more than one field"),
        ("{", "no JSON"),
        ('{"token": 7}', "token is no text"),
        ("x" * 300_000, "longer than 256 KiB"),
        ('{"pin": "123"}', "fewer than 4 characters"),
    ],
)
def test_a_pipe_that_gives_no_credential_is_told_why(
    command: Command, pipe: Callable[[str], None], text: str, words: str
) -> None:
    command("vault", "init")
    pipe(text)
    code, _, error = command("vault", "set", "api")
    assert code == Exit.USAGE
    assert words in error


def test_a_terminal_is_asked_for_each_field_and_secrets_are_not_echoed(
    command: Command, typed: Callable[..., list[str]]
) -> None:
    command("vault", "init")
    hidden = typed("ann", SECRET, "", "")
    assert command("vault", "set", "web", "--kind", "http_basic")[0] == Exit.DONE
    assert len(hidden) == 1
    assert hidden[0].startswith("password")
    typed("bob", "", "", "")
    command("vault", "set", "web")
    typed("n")
    assert command("vault", "get", "web", "--show")[0] == Exit.CANCELLED
    typed("y")
    _, out, _ = command("vault", "get", "web", "--show")
    assert f"password: {SECRET}" in out
    assert "user: bob" in out


def test_values_are_shown_to_nobody_but_a_terminal(command: Command, pipe: Callable[[str], None]) -> None:
    command("vault", "init")
    pipe(json.dumps({"token": SECRET}))
    command("vault", "set", "api")
    pipe("y\n")
    code, out, error = command("vault", "get", "api", "--show", "--json")
    assert code == Exit.USAGE
    assert "input.no_terminal" in out + error
    assert SECRET not in out + error


def test_a_passphrase_is_asked_twice_and_opens_the_vault(
    command: Command, typed: Callable[..., list[str]], pipe: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed("a passphrase", "another one")
    assert command("vault", "init", "--passphrase")[0] == Exit.USAGE
    typed("a passphrase", "a passphrase")
    code, out, _ = command("vault", "init", "--passphrase")
    assert (code, "the passphrase opens it" in out) == (Exit.DONE, True)
    monkeypatch.setattr(vaults, "_opened", {})
    typed("wrong passphrase")
    code, _, error = command("vault", "rotate")
    assert "vault.locked" in error
    typed("a passphrase", "new passphrase", "new passphrase")
    assert command("vault", "rotate", "--passphrase")[0] == Exit.DONE
    monkeypatch.setattr(vaults, "_opened", {})
    typed("new passphrase")
    _, out, _ = command("vault", "rotate", "--key-file", "--owner")
    assert "credentials.vault.key opens it" in out
    assert "all tokens ended" in out
    monkeypatch.setattr(vaults, "_opened", {})
    pipe("")
    assert command("vault", "list")[0] == Exit.DONE
    assert command("vault", "rotate", "--key-file", "--passphrase")[0] == Exit.USAGE


def test_the_doctor_tells_of_the_vault_and_of_short_secrets_outside(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> dict[str, str]:
        [row] = [row for row in json.loads(command("doctor", "--json")[1]) if row["name"] == "credentials"]
        return row

    assert (found()["status"], found()["detail"]) == ("ok", "no vault")
    monkeypatch.setenv("PYAGENT_CREDENTIAL_MAIL", '{"user": "al", "password": "abc"}')
    assert (found()["status"], "mail.password" in found()["detail"]) == ("optional", True)
    monkeypatch.setenv("PYAGENT_CREDENTIAL_MAIL", '{"password": "abcd"}')
    command("vault", "init")
    assert "opened by the key file" in found()["detail"]


def test_what_is_not_there_is_told(command: Command) -> None:
    code, _, error = command("vault", "rotate")
    assert (code, "vault.absent" in error) == (Exit.FAILED, True)
    command("vault", "init")
    for line in (["get", "api"], ["remove", "api"], ["test", "api"]):
        code, _, error = command("vault", *line)
        assert (code, "credential.not_found" in error) == (Exit.USAGE, True), line


def test_a_secret_is_sealed_to_the_owner_of_a_vault_who_alone_opens_it(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def given(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    command("vault", "init")
    key = command("vault", "public-key")[1].strip()
    given(SECRET.encode())
    code, sealed, _ = command("vault", "seal", "--to", key)
    assert (code, sealed.startswith("pas1_"), SECRET in sealed) == (Exit.DONE, True, False)
    assert vaults.require_vault().unseal_text(sealed.strip()) == SECRET.encode()
    given(sealed.encode())
    code, out, _ = command("vault", "unseal")
    assert (code, out) == (Exit.DONE, SECRET)

    for wrong in ("", "abc", "0" * 63, "0" * 64):
        given(b"x")
        assert "vault.invalid" in command("vault", "seal", "--to", wrong)[2]
    for wrong in ("", "pat1_abc", "pas1_", f"{sealed.strip()[:-9]}"):
        given(wrong.encode())
        code, out, said = command("vault", "unseal")
        assert (code != Exit.DONE, out) == (True, "")
        assert "vault." in said
    command("vault", "rotate", "--owner")
    given(sealed.encode())
    assert "vault.locked" in command("vault", "unseal")[2]
