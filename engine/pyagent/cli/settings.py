"""`pyagent settings`: every setting, what it is now and where from."""

from __future__ import annotations

from rich.console import Console

from pyagent.cli.exits import Exit
from pyagent.cli.output import print_json
from pyagent.cli.text import escape
from pyagent.settings import SETTINGS, shown


def show_settings(*, as_json: bool) -> Exit:
    """Print them; secrets are only told to be set."""
    found = [each for setting in SETTINGS for each in shown(setting)]
    if as_json:
        print_json(found)
        return Exit.DONE
    console = Console(highlight=False, soft_wrap=True)
    for each in found:
        given = each["from"] == "environment"
        value = str(each["value"] or each["default"])
        sign = "[green]●[/]" if given else "[dim]○[/]"
        console.print(f"{sign} [bold]{each['name']}[/]" + (f" = {escape(value)}" if value else ""))
        console.print(f"    [dim]{escape(each['description'])}[/]")
    console.print("\n[green]●[/] set in the environment   [dim]○[/] default")
    return Exit.DONE
