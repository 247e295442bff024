"""The vault as a source of credentials: who wins, what is refused, and that nothing says a value of it."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leaky_nodes import LEAKY, SECRET, fail, leak
from pyagent import vault as vaults
from pyagent.errors import InputError, NotFound
from pyagent.runtime.credentials import put_credential, read_credential, try_credential, users_of_credentials
from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.runtime.run_export import export_run
from pyagent.runtime.run_secrets import secrets_here, unknown_credentials
from pyagent.sdk import Context, Item, Items, NoParams, Registry, node
from pyagent.store.base import Store
from pyagent.store.sqlite import SqliteStore
from pyagent.vault import (
    Vault,
    VaultAbsent,
    VaultFailed,
    VaultLocked,
    VaultOlder,
    make_vault,
    open_vault,
    require_vault,
    witness_folder,
)


@node("leaky.tell", title="Tell", effects="idempotent")
async def tell(items: Items, params: NoParams, ctx: Context) -> list[Item]:
    """Puts its credential into items, which no redaction touches, and into a file."""
    password = (await ctx.credential("mail"))["password"]
    blob = await ctx.blobs.put(f"the password is {password}".encode(), media_type="text/plain", name="a.txt")
    return [Item({"said": f"<{password}>"}, binary={"file": blob})]


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    """A vault with one credential."""
    monkeypatch.setenv("PYAGENT_STORE", str(tmp_path / "store.db"))
    made = make_vault()
    made.put("mail", "generic", {"user": "ann", "password": SECRET})
    return made


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = SqliteStore(tmp_path / "store.db")
    await opened.open()
    yield opened
    await opened.close()


def kinds() -> Registry:
    return Registry.installed()


async def test_a_credential_comes_from_the_vault_whatever_its_capitals_and_the_use_is_noted(vault: Vault) -> None:
    assert vault.secrets()[0].used is None
    assert await read_credential("MAIL") == {"user": "ann", "password": SECRET}
    assert vault.secrets()[0].used is not None


async def test_the_environment_wins_over_the_vault(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYAGENT_CREDENTIAL_MAIL", '{"password": "from outside"}')
    assert await read_credential("mail") == {"password": "from outside"}


async def test_a_credential_that_is_nowhere_is_told_with_both_ways_to_set_it(vault: Vault) -> None:
    with pytest.raises(NotFound) as caught:
        await read_credential("other")
    assert "pyagent vault set other" in caught.value.hint
    assert "PYAGENT_CREDENTIAL_OTHER" in caught.value.hint


def test_without_a_vault_there_is_none_and_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYAGENT_STORE", str(tmp_path / "store.db"))
    assert open_vault() is None
    with pytest.raises(VaultAbsent):
        require_vault()
    assert not list(tmp_path.iterdir())


async def test_a_passphrase_comes_from_the_environment_or_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYAGENT_STORE", str(tmp_path / "store.db"))
    make_vault("correct horse battery").put("mail", "generic", {"password": SECRET})
    opened: dict[object, Vault] = {}
    monkeypatch.setattr(vaults, "_opened", opened)
    with pytest.raises(VaultLocked):
        open_vault()
    with pytest.raises(VaultLocked):
        open_vault(lambda: "wrong horse battery")
    with pytest.raises(VaultLocked):
        await read_credential("mail")
    assert SECRET not in secrets_here()
    monkeypatch.setenv("PYAGENT_VAULT_PASSPHRASE", "correct horse battery")
    assert await read_credential("mail") == {"password": SECRET}
    assert {SECRET, "correct horse battery"} <= set(secrets_here())
    monkeypatch.delenv("PYAGENT_VAULT_PASSPHRASE")
    assert require_vault(lambda: "correct horse battery").get("mail") == {"password": SECRET}


def test_a_missing_key_file_is_a_locked_vault_with_its_path(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vaults, "_opened", {})
    monkeypatch.setenv("PYAGENT_VAULT_KEY", "/nowhere/key")
    with pytest.raises(VaultLocked, match="/nowhere/key"):
        open_vault()


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("http_bearer", {"token": "abc"}, "fewer than 4 characters"),
        ("generic", {"pin": "123"}, "fewer than 4 characters"),
        ("generic", {"pin": " 1  "}, "fewer than 4 characters"),
        ("http_bearer", {"user": "ann"}, "has no field user"),
        ("http_basic", {"user": "ann"}, "lacks password"),
        ("smtp", {"host": "mail.example", "security": "ssl"}, "says security: ssl"),
        ("generic", {}, "has no fields"),
        ("fax", {"number": "12345"}, "no kind of credential"),
    ],
)
def test_what_cannot_be_a_credential_is_refused(
    vault: Vault, kind: str, fields: dict[str, str | None], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        put_credential(vault, kinds().credential_kinds(), "new", kind, fields)
    assert caught.value.code == "input.credential"
    assert caught.value.hint
    assert vault.get("new") is None


def test_fields_that_are_no_secrets_may_be_short_and_null_keeps_a_value(vault: Vault) -> None:
    of = kinds().credential_kinds()
    put_credential(vault, of, "post", "smtp", {"host": "a.b", "port": "25", "user": "al", "password": "long enough"})
    put_credential(vault, of, "post", "smtp", {"host": "c.d", "password": None})
    assert vault.get("post") == {"host": "c.d", "password": "long enough"}
    [secret] = [found for found in vault.secrets() if found.name == "post"]
    assert (secret.version, secret.fields) == (2, ("host", "password"))


def test_every_kind_names_its_fields_once_and_says_what_they_are() -> None:
    found = kinds().credential_kinds()
    assert {"generic", "http_basic", "http_bearer", "http_header", "signature", "smtp", "sql"} <= {
        kind.name for kind in found
    }
    for kind in found:
        names = [field.name for field in kind.fields]
        assert len(set(names)) == len(names)
        assert all(field.description for field in kind.fields)
        # Else what `generic` takes for no secret could not be set under its kind, or the other way round.
        assert not any(field.secret and field.required and field.name in ("user", "host") for field in kind.fields)


async def test_a_value_of_the_vault_is_masked_wherever_a_node_says_it(vault: Vault, store: Store) -> None:
    registry = Registry({})
    registry.add(leak)
    registry.add(fail)
    run = await Engine(store, registry=registry).run(LEAKY)
    events, steps, log = await store.read_events(), await store.steps(run.id), await store.read_log(run.id)
    assert run.status == "failed"
    assert "RuntimeError: still" in (run.error or {})["message"]
    assert SECRET not in repr((run, events, steps, log))
    assert {event.kind for event in events} >= {"step.log", "step.progress", "step.token", "step.failed"}


async def test_an_export_holds_no_value_of_the_vault_not_even_one_that_was_changed_since(
    vault: Vault, store: Store, tmp_path: Path
) -> None:
    registry = Registry({})
    registry.add(tell)
    engine = Engine(store, registry=registry)
    run = await engine.run("pyagent: 1\nid: telling\nnodes: [{id: tell, use: leaky.tell@1}]\nedges: []\n")
    assert run.status == "completed", run.error
    assert SECRET in repr(await store.read_log(run.id)), "items are data: they hold what a node puts there"
    vault.put("mail", "generic", {"user": "ann", "password": "another-one-now"})
    done = await export_run(engine, run.id, tmp_path / "out.zip")
    assert done.masked
    with zipfile.ZipFile(tmp_path / "out.zip") as file:
        held = b"".join(file.read(name) for name in file.namelist())
    assert SECRET.encode() not in held
    vault.remove("mail")
    assert SECRET not in secrets_here()


async def test_a_short_secret_of_the_environment_is_told_by_the_export(
    vault: Vault, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYAGENT_CREDENTIAL_MAIL", '{"user": "al", "password": "abc"}')
    registry = Registry.installed()
    engine = Engine(store, registry=registry)
    graph = """
pyagent: 1
id: mailing
nodes: [{id: send, use: io.email@1, with: {credential: mail, to: [a@b.example], subject: x, text: y}}]
edges: []
"""
    run = await engine.run(graph)
    done = await export_run(engine, run.id, tmp_path / "out.zip")
    [note] = [note for note in done.notes if "mail.password" in note]
    assert "fewer than 4 characters" in note


async def test_a_short_secret_input_is_told_by_the_export(store: Store, tmp_path: Path) -> None:
    graph = (
        "pyagent: 1\nid: short\ninputs: {pin: {type: string, writeOnly: true}}\nnodes: [{id: a, use: flow.noop@1}]\n"
    )
    engine = Engine(store, registry=Registry.installed())
    for pin, told in (("123", True), ("1234", False)):
        run = await engine.run(graph, {"pin": pin})
        done = await export_run(engine, run.id, tmp_path / f"{pin}.zip")
        assert any("secret input" in note for note in done.notes) is told


async def test_the_graphs_that_ask_for_a_credential_are_found_in_files_and_active_versions(
    store: Store, tmp_path: Path
) -> None:
    asking = """
pyagent: 1
id: {id}
nodes:
  - {{id: get, use: io.http@1, with: {{url: "https://example.com", auth: {{as: bearer, credential: {name}}}}}}}
edges: []
"""
    (tmp_path / "one.yaml").write_text(asking.format(id="one", name="Api"))
    (tmp_path / "two.yaml").write_text(asking.format(id="two", name="'{{ $inputs.which }}'"))
    (tmp_path / "broken.yaml").write_text("pyagent: [")
    assert await users_of_credentials(GraphLibrary([tmp_path]), store) == {"api": ["one"]}


def test_only_names_that_neither_vault_nor_environment_has_are_unknown(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyagent.graph.yaml import load_text

    monkeypatch.setenv("PYAGENT_CREDENTIAL_OUTSIDE", '{"token": "12345"}')
    nodes = ", ".join(
        f"{{id: n{number}, use: io.email@1, with: {{credential: {name}}}}}"
        for number, name in enumerate(["Mail", "outside", "nowhere"])
    )
    spec = load_text(f"pyagent: 1\nid: a\nnodes: [{nodes}]\nedges: []\n").spec
    assert unknown_credentials([spec]) == ["nowhere"]


async def test_a_try_tells_whether_it_works_without_the_secret(vault: Vault, tmp_path: Path) -> None:
    of = kinds().credential_kinds()
    (tmp_path / "there.db").touch()
    put_credential(vault, of, "good", "sql", {"url": f"sqlite:///{tmp_path}/there.db"})
    put_credential(vault, of, "bad", "sql", {"url": "postgresql://127.0.0.1:1/nobody", "password": "not-a-word-of-it"})
    put_credential(
        vault, of, "web", "http_bearer", {"token": "abcdefgh", "hosts": "a.example", "test_url": "http://b.example"}
    )
    put_credential(vault, of, "open", "generic", {"token": "abcdefgh"})
    assert (await try_credential("good", of)).works is True
    tried = await try_credential("bad", of)
    assert tried.works is False
    assert "not-a-word" not in tried.message
    assert (await try_credential("web", of)).message.startswith("it is not for b.example")
    assert (await try_credential("open", of)).works is None
    with pytest.raises(NotFound):
        await try_credential("nowhere", of)


async def test_a_webhook_whose_credential_is_locked_away_says_that_it_cannot_tell_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from starlette.datastructures import Headers

    from pyagent.sdk import Endpoint
    from pyagent.server.webhook_request import WebhookRefused, check_sender

    monkeypatch.setenv("PYAGENT_STORE", str(tmp_path / "store.db"))
    make_vault("correct horse battery")
    monkeypatch.setattr(vaults, "_opened", {})
    endpoint = Endpoint(path="/a", authentication="header", credential="hook")
    with pytest.raises(WebhookRefused) as caught:
        await check_sender(endpoint, Headers({"authorization": "Bearer x"}), None)
    assert (caught.value.status, caught.value.code) == (503, "webhook.credential")


def test_refusals_of_the_compiled_module_have_a_code_and_a_hint_of_ours() -> None:
    codes = {kind: error.code for kind, error in vaults._BY_KIND.items()}
    assert len(set(codes.values())) == len(codes)
    for error in vaults._BY_KIND.values():
        assert issubclass(error, VaultFailed)
        assert error.hint
        assert error.__doc__


def test_errors_of_the_vault_say_no_value(vault: Vault) -> None:
    with pytest.raises(VaultFailed) as caught:
        vault.put("Ä", "generic", {"password": SECRET})
    assert SECRET not in json.dumps(caught.value.as_dict())


def test_an_older_file_that_is_put_back_revives_no_token_until_somebody_says_that_it_shall(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, id = vault.issue(label="CI", capabilities={"run"}, graphs=None, expires=datetime.now(UTC) + timedelta(days=1))
    before = vault.path.read_bytes()
    vault.revoke(id)
    vault.path.write_bytes(before)
    with pytest.raises(VaultOlder):
        vault.verify(text)
    monkeypatch.setattr(vaults, "_opened", {})
    with pytest.raises(VaultOlder) as caught:
        open_vault()
    assert str(witness_folder()) in caught.value.message
    assert "rotate --owner" in caught.value.hint
    shutil.rmtree(witness_folder())
    assert require_vault().verify(text).capabilities == {"run"}


def test_two_who_set_different_fields_at_the_same_time_lose_none_of_them(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Vault.get

    def slow(self: Vault, name: str) -> dict[str, str] | None:
        found = read(self, name)
        monkeypatch.setattr(Vault, "get", read)
        put_credential(vault, kinds().credential_kinds(), "mail", "generic", {"user": "bob", "password": None})
        return found

    monkeypatch.setattr(Vault, "get", slow)
    put_credential(vault, kinds().credential_kinds(), "mail", "generic", {"user": None, "password": "another-secret"})
    assert vault.get("mail") == {"user": "bob", "password": "another-secret"}
