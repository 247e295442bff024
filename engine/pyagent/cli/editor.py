"""`pyagent graph install-editor`: editors complete and check graph files by their JSON Schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from pyagent.cli.messages import print_error
from pyagent.errors import SetupError

SCHEMA = ".vscode/pyagent-graph.schema.json"
SETTINGS = ".vscode/settings.json"
_MODELINE = re.compile(r"^#\s*yaml-language-server:\s*\$schema=.*$", re.MULTILINE)


def install_editor_command(
    patterns: Annotated[
        list[str] | None,
        typer.Option("--pattern", metavar="PATTERN", help="Which files are graphs; graphs/*.yaml if left out."),
    ] = None,
    modeline: Annotated[
        list[Path] | None,
        typer.Option("--modeline", metavar="FILE", help="Name the schema in this file's first line too; repeatable."),
    ] = None,
) -> None:
    """Let VS Code, and what else runs yaml-language-server, complete graph files in this folder.

    Writes the schema of the installed node types to `.vscode/pyagent-graph.schema.json`, and into
    `.vscode/settings.json` for which files it holds; what else stands there stays. Run it again after an update.
    """
    try:
        for line in install(Path.cwd(), patterns or ["graphs/*.yaml", "graphs/*.yml"], modeline or []):
            typer.echo(line)
    except SetupError as error:
        print_error(error)
        raise typer.Exit(5) from None
    typer.echo("VS Code needs the extension redhat.vscode-yaml.")


def install(folder: Path, patterns: list[str], modelines: list[Path]) -> list[str]:
    """Write schema, settings and modelines; what was done. Raises `SetupError` (`setup.editor`)."""
    from pyagent.graph.schema import graph_schema
    from pyagent.runtime.checking import GraphChecker

    done: list[str] = []
    schema = json.dumps(graph_schema(GraphChecker().catalogue), ensure_ascii=False, separators=(",", ":")) + "\n"
    try:
        done += _replace(folder / SCHEMA, schema)
        done += _replace(folder / SETTINGS, _settings(folder / SETTINGS, patterns))
        for file in modelines:
            text = file.read_text(encoding="utf-8")
            depth = len(file.resolve().parent.relative_to(folder.resolve()).parts)
            done += _replace(file, with_modeline(text, "../" * depth + SCHEMA))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SetupError(f"cannot set the editor up: {reason}", code="setup.editor", hint="Check the file.") from error
    return done or ["nothing to do"]


def with_modeline(text: str, schema: str) -> str:
    """`text` with the comment by which yaml-language-server finds its schema."""
    line = f"# yaml-language-server: $schema={schema}"
    if _MODELINE.search(text):
        return _MODELINE.sub(lambda _: line, text, count=1)
    return f"{line}\n{text}"


def _settings(path: Path, patterns: list[str]) -> str:
    """The settings with ours among them; comments and what else stands there stay."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    text = text if text.strip() else "{}\n"
    key = f"./{SCHEMA}"
    found = read_jsonc(text)
    schemas = cast("dict[str, Any]", found.get("yaml.schemas", {}))
    if not isinstance(schemas, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f'"yaml.schemas" in {path} is not an object')
    if schemas.get(key) == patterns:
        return text
    written = json.dumps({**schemas, key: patterns}, indent=2, ensure_ascii=False).replace("\n", "\n  ")
    if "yaml.schemas" in found:
        start, end = _value_span(text, "yaml.schemas")
        return text[:start] + written + text[end:]
    opening = _blanked(text).index("{")
    rest = text[opening + 1 :]
    comma = "," if found else ""
    return f'{text[: opening + 1]}\n  "yaml.schemas": {written}{comma}{rest if found else chr(10) + rest.lstrip()}'


def read_jsonc(text: str) -> dict[str, Any]:
    """JSON with comments and trailing commas, as VS Code's settings are. Raises `ValueError`."""
    plain = re.sub(r",(\s*[}\]])", r"\1", _blanked(text, strings=False))
    found: Any = json.loads(plain) if plain.strip() else {}
    if not isinstance(found, dict):
        raise ValueError("the settings are not an object")
    return cast("dict[str, Any]", found)


_PART = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)


def _blanked(text: str, *, strings: bool = True) -> str:
    """`text` of the same length with blanks for comments, and for strings too."""

    def blank(part: re.Match[str]) -> str:
        if part[0].startswith('"') and not strings:
            return part[0]
        return re.sub(r"[^\n]", " ", part[0])

    return _PART.sub(blank, text)


def _value_span(text: str, key: str) -> tuple[int, int]:
    """Where the object stands that is the value of a key."""
    bare = _blanked(text)
    commentless = _blanked(text, strings=False)
    begin = bare.index("{", commentless.index(f'"{key}"'))
    depth = 0
    for position in range(begin, len(bare)):
        depth += {"{": 1, "}": -1}.get(bare[position], 0)
        if depth == 0:
            return begin, position + 1
    raise ValueError("a bracket is missing")


def _replace(path: Path, text: str) -> list[str]:
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return []
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return [f"wrote {path}"]
