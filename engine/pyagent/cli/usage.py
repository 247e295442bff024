"""Command lines that do not parse, told like every other error: what is wrong, where, and what to write instead."""

from __future__ import annotations

import difflib
import re
from typing import Any

from pyagent.cli.messages import print_error
from pyagent.errors import InputError

_WORDS = (
    (re.compile(r"Value error, "), ""),
    (re.compile(r"Input should be a valid integer.*"), "a whole number goes there"),
    (re.compile(r"Input should be (greater|less) than or equal to"), r"it must be \1 than or equal to"),
    (re.compile(r"Got unexpected extra arguments? ?(?:\(s\) )?\((.*)\)"), r"nothing is known to do with \1"),
)
"""What Typer and pydantic say, and what is said instead."""
_MEANT = {"help": "pyagent --help", "version": "pyagent --version", "ls": "pyagent runs", "start": "pyagent up"}


def show_usage_error(error: Any, *, as_json: bool) -> None:
    """Print an error of Typer's; `Any` because Typer keeps its own copy of Click private."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    print_error(usage_error(error), as_json=as_json)


def usage_error(error: Any) -> InputError:
    """The error as one of ours (`input.usage`)."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "pyagent"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    message = " ".join(message.split()).rstrip(".")
    hint = _hint(error, context, path)
    message = re.split(r" Did you mean| \(Possible |\. Choose from", message)[0].rstrip(". ?")
    for found, said in _WORDS:
        message = found.sub(said, message)
    return InputError(f"{path}: {message[:1].lower()}{message[1:]}", code="input.usage", hint=hint)


def _hint(error: Any, context: Any, path: str) -> str:
    help_ = f"`{path} --help` tells all of it."
    if context is None:
        return help_
    option = getattr(error, "option_name", None)
    if option is not None and type(error).__name__ == "NoSuchOption":
        names = [name for given in context.command.params if given.param_type_name == "option" for name in given.opts]
        return f"{_nearest(option, names)}{help_}"
    if (found := re.search(r"No such command '([^']*)'", str(getattr(error, "message", "")))) is not None:
        name = found[1]
        if name.endswith((".yaml", ".yml")):
            return f"To run it: pyagent run {name}"
        if name in _MEANT and path == "pyagent":
            return f"Write: {_MEANT[name]}"
        commands = list(getattr(context.command, "commands", {}))
        inner = [
            f"{group} {each}"
            for group, command in getattr(context.command, "commands", {}).items()
            for each in getattr(command, "commands", {})
            if each == name
        ]
        if inner:
            return f"Did you mean `pyagent {inner[0]}`? {help_}"
        return f"{_nearest(name, commands)}{help_}"
    parameter = getattr(error, "param", None)
    if type(error).__name__ == "MissingParameter" and parameter is not None:
        pieces = [str(piece) for piece in context.command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
        usage = " ".join(re.sub(r"[{}]", "", piece).replace("[[", "[").replace("]]", "]") for piece in pieces)
        return f"Write: {path} {usage}"
    return help_


def _nearest(given: str, known: list[str]) -> str:
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.6)
    near = near or [name for name in known if name.startswith(given)][:1]
    return f"Did you mean `{near[0]}`? " if near else ""
