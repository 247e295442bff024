"""`code.shell`: a program, or a script of `sh` or `bash`."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ByteSize, Field, model_validator

from pyagent.sdk import BlobRef, Context, Item, Items, JsonObject, NodeError, NodeParams, NodeTimeout, node
from pyagent.sdk.fields import FOLDER, LITERAL, Duration, FieldPath, with_field
from pyagent.sdk.process import (
    ProcessLimits,
    ProcessNotFound,
    ProcessResult,
    clean_environment,
    log_unkept,
    run_process,
)
from pyagent.sdk.sandbox import program_places, python_places
from pyagent_nodes.code._places import Network, Read, Write, sandbox

_MEBIBYTE = 1024 * 1024


_EXPRESSION = re.compile(r"\{\{\s*\$(?:json|input|inputs|state|node|now|today|itemIndex|vars|run|binary|\()")


def _literal(script: str) -> str:
    if found := _EXPRESSION.search(script):
        raise ValueError(
            f"{found[0]}… is no expression here: data must not become program text. Give it a name in `env` and read "
            'it in quotes: "$NAME"'
        )
    return script


def _variable(name: str) -> str:
    if not name.replace("_", "a").isalnum() or not name.isascii() or name[0].isdigit():
        raise ValueError(f"{name!r} is no name of an environment variable: letters, digits and _")
    return name


class ShellParams(NodeParams):
    """Parameters of `code.shell`."""

    command: list[str] = Field(
        default_factory=list,
        description="Program and arguments; no shell looks at them, so each may hold anything",
        examples=[["git", "log", "--oneline", "{{ $json.branch }}"]],
    )
    script: Annotated[str, AfterValidator(_literal)] = Field(
        "",
        description="Or a script, taken as written: an expression in it would be program text that came from data. "
        'Pass values by `env` and `args`, and read them in quotes: "$NAME", "$1"',
        json_schema_extra=LITERAL,
        examples=['wc -l < "$FILE"'],
    )
    shell: Literal["sh", "bash"] = Field("sh", description="For a script: run with -e -u, bash with pipefail too")
    args: list[str | int | float | bool] = Field(default_factory=list, description='For a script: its "$1", "$2", …')
    mode: Literal["all", "each"] = Field("all", description="Run once, or once for each item")
    env: dict[Annotated[str, AfterValidator(_variable)], str | int | float | bool] = Field(
        default_factory=dict,
        description="Environment variables; beside PATH, HOME, locale and time zone it gets none of the engine's",
        examples=[{"FILE": "{{ $json.path }}"}],
    )
    cwd: str = Field(
        "",
        description="Where it starts, a place that it may read; relative to the run's directory, if given",
        json_schema_extra=FOLDER,
    )
    read: Read = Field(default_factory=list)
    write: Write = Field(default_factory=list)
    network: Network = "none"
    stdin: Literal["none", "json", "lines", "text"] = Field(
        "none",
        description="What it can read: nothing; the item (each) or all items (all) as JSON; each item as a line of "
        "JSON; or `text`",
    )
    text: str = Field("", description="For stdin `text`")
    as_: Literal["text", "lines", "json", "json_lines", "binary", "none"] = Field(
        "text",
        alias="as",
        description="What stdout is: one text; a list of lines; JSON, a list of objects being items; lines of JSON, "
        "each an item; a binary; or nothing of interest",
    )
    into: FieldPath = Field("stdout", description="The field, or the binary, that gets text, lines, and JSON's values")
    file_name: str = Field("", description="For a binary: its file name")
    media_type: str = Field("application/octet-stream", description="For a binary: its type")
    success: list[int] = Field([0], min_length=1, description="Exit codes that are no failure", examples=[[0, 1]])
    timeout: Duration = Field("60s", validate_default=True, description="Longest run; then it is killed")
    memory: ByteSize | None = Field(
        None, description="Memory at most; of each process, address space too", examples=["2 GiB"]
    )
    cpu: Duration | None = Field(None, description="Processor time of each process at most")
    processes: int | None = Field(None, ge=0, description="Processes and threads it may start")
    file_size: ByteSize | None = Field(None, description="Largest file it may write")
    disk: ByteSize | None = Field(None, description="What it may add to the disk at most")
    max_output: ByteSize = Field(
        ByteSize(10 * _MEBIBYTE), description="Largest stdout; beyond it the program is ended and the step fails"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if bool(self.command) == bool(self.script):
            raise ValueError("give `command` or `script`, one of them")
        if self.args and self.command:
            raise ValueError("`args` are a script's; put a program's arguments into `command`")
        if self.text and self.stdin != "text":
            raise ValueError("`text` belongs to `stdin: text`")
        return self


# What a program does is not known: the engine must not repeat it by itself. A graph can say `effects: none`.
@node("code.shell", title="Shell", icon="terminal", effects="once")
async def shell(items: Items, params: ShellParams, ctx: Context) -> list[Item]:
    """Run a program or a shell script, in a sandbox with limits, and make items of what it writes.

    Values never become program text: a script is taken as written and gets them as environment variables and
    arguments. It starts in the run's own directory with a clean environment; what it writes to stderr becomes log
    lines. When it ends, fails, outlives its time or is cancelled, it and all it started are gone. An item of the
    result has `exit_code` beside the output, unless stdout itself is items. It sees the programs on PATH and what
    belongs to them, may change the run's directory alone, and has no network and no home, unless `read`, `write` and
    `network` say more.
    """
    if params.mode == "all":
        given = list(items)
        result = await _run(params, given, ctx)
        return await _made(result, params, ctx, Item({}, None, tuple(s for item in given for s in item.sources)), None)
    made: list[Item] = []
    for index, item in enumerate(items):
        own = await ctx.params_for(params, index)
        result = await _run(own, [item], ctx)
        made += await _made(result, own, ctx, item, index)
    return made


async def _run(params: ShellParams, given: Sequence[Item], ctx: Context) -> ProcessResult:
    base = await asyncio.to_thread(lambda: ctx.work_dir)
    environment = {name.upper(): value for name, value in ctx.trace.items()}
    environment |= {name: _as_text(value) for name, value in params.env.items()}
    result = await run_process(
        _argv(params),
        cwd=base / Path(params.cwd).expanduser() if params.cwd else base,
        env=clean_environment(environment),
        stdin=await asyncio.to_thread(_stdin, params, given),
        timeout=params.timeout.total_seconds(),
        limits=ProcessLimits(
            memory=int(params.memory) if params.memory is not None else None,
            cpu_seconds=max(1, round(params.cpu.total_seconds())) if params.cpu is not None else None,
            processes=params.processes,
            file_size=int(params.file_size) if params.file_size is not None else None,
            disk=int(params.disk) if params.disk is not None else None,
            output=int(params.max_output),
            # What is too large is refused anyway: a program that writes for ever would go on until its time is up.
            stop_at_output=params.as_ != "none",
        ),
        sandbox=sandbox(base, params.read, params.write, params.network, *program_places(), *python_places()),
        cancel=ctx.cancel,
        on_line=lambda stream, line: ctx.log(line) if stream == "stderr" else None,
    )
    log_unkept(result, ctx)
    return result


def _argv(params: ShellParams) -> list[str]:
    if params.command:
        return params.command
    program = shutil.which(params.shell)
    if program is None:
        raise ProcessNotFound(f"{params.shell} is not installed here")
    options = ["-eu"] if params.shell == "sh" else ["-eu", "-o", "pipefail"]
    return [program, *options, "-c", params.script, params.shell, *map(_as_text, params.args)]


def _as_text(value: str | int | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _stdin(params: ShellParams, given: Sequence[Item]) -> bytes | None:
    if params.stdin == "none":
        return None
    if params.stdin == "text":
        return params.text.encode(errors="replace")
    rows = [item.json for item in given]
    if params.stdin == "lines":
        return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode(errors="replace")
    return json.dumps(rows if params.mode == "all" else rows[0], ensure_ascii=False).encode(errors="replace")


async def _made(
    result: ProcessResult, params: ShellParams, ctx: Context, source: Item, index: int | None
) -> list[Item]:
    place = f" (item {index})" if index is not None else ""
    said = {"exit_code": result.exit_code, "stderr": result.error_text[-4000:], "item": index}
    if result.timed_out:
        raise NodeTimeout(
            f"the command ran longer than {params.timeout.total_seconds():g} s{place}",
            hint="Raise `timeout`, or give it less to do.",
            details=said,
        )
    if result.stdout_dropped and params.as_ != "none":
        raise NodeError(
            f"the command wrote more than {params.max_output.human_readable()}{place}",
            code="node.shell_output",
            hint="Raise `max_output`, write less, or write to a file.",
        )
    if result.exit_code not in params.success:
        last = result.error_text.strip().rsplit("\n", 1)[-1][:300]
        raise NodeError(
            f"the command ended with {result.outcome}{place}{f': {last}' if last else ''}",
            code="node.shell_failed",
            hint="Its stderr is in the log; exit codes that are no failure go into `success`.",
            details=said,
        )
    kept: JsonObject = {**(source.json if params.mode == "each" else {}), "exit_code": result.exit_code}
    match params.as_:
        case "none":
            return [Item(kept, source.binary, source.sources)]
        case "binary":
            ref: BlobRef = await ctx.blobs.put(result.stdout, name=params.file_name, media_type=params.media_type)
            return [Item(kept, {**(source.binary or {}), params.into: ref}, source.sources)]
        case "text":
            # As in a shell's $(…): the line's end after the last line is not part of it.
            return [Item(with_field(kept, params.into, result.text.rstrip("\n")), source.binary, source.sources)]
        case "lines":
            return [Item(with_field(kept, params.into, result.text.splitlines()), source.binary, source.sources)]
        case "json" | "json_lines":
            values = _read(result.text, params.as_, place)
            if isinstance(values, list) and all(isinstance(value, dict) for value in values):
                return [Item(value, source.binary, source.sources) for value in values]
            return [Item(with_field(kept, params.into, values), source.binary, source.sources)]


def _read(text: str, form: str, place: str) -> Any:
    line = 0
    try:
        if form == "json":
            return json.loads(text, parse_constant=_refuse)
        found: list[Any] = []
        for line, row in enumerate(text.splitlines(), 1):  # noqa: B007 - named in the error
            if row.strip():
                found.append(json.loads(row, parse_constant=_refuse))
        return found
    except (ValueError, RecursionError) as error:
        where = f" in line {line}" if line else ""
        raise NodeError(
            f"stdout is not JSON{where}{place}: {error}",
            code="node.shell_json",
            hint="Set `as: text` to see what it writes.",
        ) from None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")
