"""Forms on a terminal: what is asked for, field by field, and text that becomes values by its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from rich.console import Console

from pyagent.cli.text import escape
from pyagent.errors import InputError, Where

ReadLine = Callable[[], Awaitable[str | None]]
"""A line from the terminal; None once nobody wants it any more."""
_WORDS = {"y": True, "yes": True, "true": True, "n": False, "no": False, "false": False}


def typed(schema: Mapping[str, Any], text: str) -> Any:
    """A field's value from text: as it is where the schema takes text, else JSON; yes and no, options by their text.

    Raises `ValueError`.
    """
    options = cast("list[Any]", schema.get("enum") or [])
    if options:
        return next((option for option in options if str(option) == text), text)
    inner = _mapping(schema.get("items"))
    kind = schema.get("type")
    if kind == "boolean":
        return _WORDS.get(text.lower(), text)
    if kind == "array" and not text.startswith("["):
        return [typed(inner, part.strip()) for part in text.split(",")] if text else []
    if kind == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        if kind is None or (isinstance(kind, list) and "string" in kind):
            return text
        raise ValueError(f"{text!r} is no {kind}") from None


def set_values(wait: Mapping[str, Any], sets: Sequence[str]) -> dict[str, Any]:
    """The answer that `--set NAME=VALUE` gives, several of them. Raises `InputError` (`input.syntax`)."""
    properties = _mapping(_mapping(wait.get("response_schema")).get("properties"))
    found: dict[str, Any] = {}
    for text in sets:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {text!r} has no value", code="input.syntax", hint="Write --set name=value.")
        try:
            found[name] = typed(_mapping(properties.get(name)), value)
        except ValueError as error:
            raise InputError(
                f"--set {name}: {error}", code="input.syntax", hint="Write it as JSON.", where=Where(field=name)
            ) from None
    return found


async def ask_form(wait: Mapping[str, Any], console: Console, read: ReadLine) -> dict[str, Any] | None:
    """Ask for each field until it fits; None where nobody wants to answer now."""
    from pyagent.runtime.answers import schema_problems

    form = _mapping(wait.get("response_schema"))
    properties = _mapping(form.get("properties"))
    required = cast("list[str]", form.get("required") or [])
    console.print("[bold]y[/]es to fill it in now, Enter to leave it open: ", end="")
    if ((await read()) or "").strip().lower() not in ("y", "yes"):
        return None
    answer: dict[str, Any] = {}
    for name, schema in properties.items():
        while True:
            console.print(_question(name, _mapping(schema), needed=name in required), end="")
            line = await read()
            if line is None:
                return None
            text = line.strip()
            if not text and (name not in required or "default" in schema):
                break
            try:
                value = typed(_mapping(schema), text)
            except ValueError as error:
                console.print(f"  [red]{escape(str(error))}[/]")
                continue
            problems = schema_problems(_mapping(schema), value) if text else [{"message": "is needed"}]
            if not problems:
                answer[name] = value
                break
            console.print(f"  [red]{escape(problems[0]['message'])}[/]")
    return answer


def _question(name: str, schema: Mapping[str, Any], *, needed: bool) -> str:
    options = schema.get("enum") or _mapping(schema.get("items")).get("enum")
    kind = schema.get("format") or schema.get("type")
    notes = ["/".join(map(str, options)) if options else "yes/no" if kind == "boolean" else str(kind or "text")]
    if schema.get("type") == "array":
        notes.append("several with commas")
    if "default" in schema:
        notes.append(f"Enter: {json.dumps(schema['default'], ensure_ascii=False)}")
    elif not needed:
        notes.append("may be left out")
    help_ = f"  [dim]{escape(str(schema['description']))}[/]\n" if schema.get("description") else ""
    return f"{help_}  {escape(str(schema.get('title') or name))} [dim]({escape('; '.join(notes))})[/]: "


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
