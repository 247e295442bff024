"""Inputs of a run as the command line takes them, and the consent that some of them need."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pyagent.cli.messages import error_console
from pyagent.cli.text import escape
from pyagent.errors import GraphError, InputError, Where

if TYPE_CHECKING:
    from pyagent.cli.run import RunOptions
    from pyagent.graph.spec import GraphSpec


def given_inputs(spec: GraphSpec, options: RunOptions) -> dict[str, Any]:
    """The inputs of `--input-file`, `--input-json` and `--input`, later ones over earlier ones, checked, with defaults.

    Raises `InputError`.
    """
    from pyagent.runtime.inputs import checked_inputs, text_value

    found: dict[str, Any] = {}
    if options.input_file is not None:
        found.update(file_inputs(options.input_file))
    if options.inputs_json is not None:
        found.update(_json_inputs(options.inputs_json))
    for text in options.inputs:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--input {text!r} has no value", code="input.syntax", hint="Write --input name=value.")
        found[name] = text_value(spec.inputs.get(name, {}), value)
    return checked_inputs(spec, found)


def _json_inputs(text: str) -> dict[str, Any]:
    from pyagent.runtime.inputs import strict_json

    where = Where(field="inputs")
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        value = strict_json(text)
    except (ValueError, OSError) as error:
        raise InputError(
            f"--input-json cannot be read: {error}",
            code="input.syntax",
            hint='Give a JSON object such as \'{"name": "value"}\', @FILE, or - for the standard input.',
            where=where,
        ) from None
    if not isinstance(value, dict):
        raise InputError(
            "--input-json is no JSON object",
            code="input.syntax",
            hint='Give an object such as \'{"name": "value"}\'.',
            where=where,
        )
    return cast("dict[str, Any]", value)


def file_inputs(file: str) -> dict[str, Any]:
    """The inputs in a YAML or JSON file; `-` is the standard input. Raises `InputError` (`input.file`)."""
    from pyagent.graph.yaml_tree import parse

    name = "the standard input" if file == "-" else file
    hint = "Write YAML or JSON: `name: value` for each input."
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        value: Any = parse(text, name).value if text.strip() else {}
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror or str(error) if isinstance(error, OSError) else "it is no UTF-8"
        raise InputError(
            f"--input-file {name} cannot be read: {why}", code="input.file", hint="Check the path."
        ) from None
    except GraphError as error:
        raise InputError(
            f"--input-file {name} cannot be read: {error.message.replace('a graph file is', 'it is not')}",
            code="input.file",
            hint=hint,
            where=error.where,
        ) from None
    if not isinstance(value, dict):
        raise InputError(f"--input-file {name} holds no names with values", code="input.file", hint=hint)
    return cast("dict[str, Any]", value)


def agree(spec: GraphSpec, inputs: Mapping[str, Any], *, yes: bool, interactive: bool) -> None:
    """Ask before inputs make this machine do what the graph's author does not vouch for.

    Raises `InputError` (`input.consent`) where nobody agrees or nobody can be asked.
    """
    from pyagent.runtime.inputs import needed_consents

    needed = needed_consents(spec, inputs)
    if not needed or yes:
        return
    console = error_console()
    for name, text in needed.items():
        console.print(f"[bold yellow]{escape(name)} = {escape(str(inputs[name]))}[/]: {escape(text)}")
        if interactive and sys.stdin.isatty():
            console.print("Go on? [bold]y[/]es, [bold]n[/]o: ", end="")
            if sys.stdin.readline().strip().lower() in ("y", "yes"):
                continue
        raise InputError(
            f"nobody agreed to the input {name}",
            code="input.consent",
            hint="Give --yes (YES=1 with make) if you trust it.",
            where=Where(field=f"inputs.{name}"),
        )
