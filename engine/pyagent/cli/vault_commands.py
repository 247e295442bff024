"""The arguments of `pyagent vault …`; what the commands do is in `vault`, imported when one is called."""

from __future__ import annotations

from typing import Annotated

import typer

from pyagent.cli.arguments import AsJson, finish

app = typer.Typer(help="Credentials, sealed: set, list, try and rotate them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The credential's name, as graphs say it.")]
WithPassphrase = Annotated[bool, typer.Option("--passphrase", help="A passphrase opens it from now on; it is asked.")]


@app.command("init")
def init_command(passphrase: WithPassphrase = False, as_json: AsJson = False) -> None:
    """Make the vault. A new key file beside it opens it, or with --passphrase what you type.

    Where PYAGENT_VAULT_PASSPHRASE is set, that is the passphrase.
    """
    from pyagent.cli.vault import init

    finish(lambda: init(passphrase=passphrase, as_json=as_json))


@app.command("set")
def set_command(
    name: Name,
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="Its kind (`pyagent vault kinds`); left out, generic or as is."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Set a credential. Its fields are asked for, or read from the standard input: never from the command line.

    From a pipe comes a JSON object of texts, or the plain value of the kind's one secret field.
    """
    from pyagent.cli.vault import set_credential

    finish(lambda: set_credential(name, kind, as_json=as_json))


@app.command("get")
def get_command(
    name: Name,
    show: Annotated[bool, typer.Option("--show", help="Print the values, after you agreed at the terminal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what is known of a credential: its kind, fields, times, and the graphs that ask for it."""
    from pyagent.cli.vault import get

    finish(lambda: get(name, show=show, as_json=as_json))


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the credentials of the vault and the environment, and who asks for them."""
    from pyagent.cli.vault import list_credentials

    finish(lambda: list_credentials(as_json=as_json))


@app.command("kinds")
def kinds_command(as_json: AsJson = False) -> None:
    """List the kinds of credentials and their fields."""
    from pyagent.cli.vault import list_kinds

    finish(lambda: list_kinds(as_json=as_json))


@app.command("remove")
def remove_command(name: Name, as_json: AsJson = False) -> None:
    """Take a credential out, with the values that it had before. Exports are not cleaned of them any more."""
    from pyagent.cli.vault import remove

    finish(lambda: remove(name, as_json=as_json))


@app.command("test")
def try_command(name: Name, as_json: AsJson = False) -> None:
    """Try whether a credential works: log in at the mail server, ask the database, call its `test_url`.

    Exit code 1 if it does not.
    """
    from pyagent.cli.vault import try_it

    finish(lambda: try_it(name, as_json=as_json))


@app.command("public-key")
def public_key_command(as_json: AsJson = False) -> None:
    """Print the key that others seal secrets to, for you alone to open. It is no secret; --owner of rotate ends it."""
    from pyagent.cli.sealed_texts import public_key

    finish(lambda: public_key(as_json=as_json))


@app.command("seal")
def seal_command(
    to: Annotated[str, typer.Option("--to", metavar="KEY", help="What `pyagent vault public-key` printed there.")],
) -> None:
    """Seal the standard input to the owner of another vault, and print a text that can go by any way.

    It takes no vault here. Who sent it is not told: agree on that by other means.
    """
    from pyagent.cli.sealed_texts import seal

    finish(lambda: seal(to))


@app.command("unseal")
def unseal_command() -> None:
    """Open what was sealed to you: the text comes on the standard input, the secret goes to the standard output."""
    from pyagent.cli.sealed_texts import unseal

    finish(unseal)


@app.command("rotate")
def rotate_command(
    passphrase: WithPassphrase = False,
    key_file: Annotated[bool, typer.Option("--key-file", help="A new key file opens it from now on.")] = False,
    owner: Annotated[bool, typer.Option("--owner", help="New keys of the owner, too: all tokens end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Seal everything anew under a new key. A key file gets a new key; a passphrase stays, unless you ask for another.

    Backups of the vault keep needing the old key file or passphrase.
    """
    from pyagent.cli.vault import rotate

    finish(lambda: rotate(passphrase=passphrase, key_file=key_file, owner=owner, as_json=as_json))
