"""`code.python`: a few lines of Python in a process of their own."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import ByteSize, Field

from pyagent.sdk import Context, Item, Items, JsonObject, NodeError, NodeParams, NodeTimeout, node
from pyagent.sdk.fields import LITERAL, Duration
from pyagent.sdk.process import ProcessLimits, ProcessResult, clean_environment, log_unkept, run_process
from pyagent.sdk.sandbox import interpreter_places, python_places
from pyagent_nodes.code._places import Network, Read, Write, sandbox

_HARNESS = Path(__file__).with_name("_harness.py")
_MEBIBYTE = 1024 * 1024


class PythonParams(NodeParams):
    """Parameters of `code.python`."""

    code: str = Field(
        min_length=1,
        description="The body of a function of `items` (or `item`), `inputs` and `state`. Return JSON objects",
        json_schema_extra=LITERAL,
        examples=['return [{"total": sum(item["price"] for item in items)}]'],
    )
    mode: Literal["all", "each"] = Field(
        "all", description="Called once with the list `items`, or for each `item` (return None to drop it)"
    )
    timeout: Duration = Field("60s", validate_default=True, description="Longest run; then it is killed")
    read: Read = Field(default_factory=list)
    write: Write = Field(default_factory=list)
    network: Network = "none"
    memory: ByteSize = Field(ByteSize(2048 * _MEBIBYTE), description="Memory at most", examples=["512 MiB"])
    cpu: Duration = Field("60s", validate_default=True, description="Processor time at most")
    processes: int = Field(64, ge=0, description="Processes and threads it may start")
    file_size: ByteSize = Field(ByteSize(1024 * _MEBIBYTE), description="Largest file it may write")
    disk: ByteSize = Field(ByteSize(4096 * _MEBIBYTE), description="What it may add to the disk at most")
    max_output: ByteSize = Field(ByteSize(64 * _MEBIBYTE), description="Largest result, as JSON")
    env: dict[str, str] = Field(default_factory=dict, description="Environment variables; it gets none of the engine's")
    python: str = Field("", description="Interpreter to use; left out: the engine's own, with its packages")


# What the code does is not known: the engine must not repeat it by itself. A graph can say `effects: none`.
# Nor can it say which item a result came from, where it was given all of them.
@node("code.python", title="Python", icon="code", effects="once", makes_items=True)
async def python(items: Items, params: PythonParams, ctx: Context) -> list[Item]:
    """Run Python code on the items, in a sandbox with limits on time, memory, processes and files.

    It starts in the run's own directory with a clean environment; what it prints becomes log lines. It sees Python, the
    engine's packages and the system's programs, may change that directory alone, and has no network, unless `read`,
    `write` and `network` say more. With `mode: all`, a list as long as the input keeps
    the lineage item by item; with `mode: each`, always, and items keep their binaries.
    """
    given = list(items)
    work = {
        "code": params.code,
        "mode": params.mode,
        "items": [item.json for item in given],
        "inputs": dict(ctx.inputs),
        "state": dict(ctx.state),
    }
    work_dir = await asyncio.to_thread(lambda: ctx.work_dir)
    places = interpreter_places(Path(params.python)) if params.python else python_places()
    result = await run_process(
        [params.python or sys.executable, "-I", "-X", "utf8", _HARNESS],
        cwd=work_dir,
        env=clean_environment({**{name.upper(): value for name, value in ctx.trace.items()}, **params.env}),
        stdin=(await asyncio.to_thread(json.dumps, work, separators=(",", ":"))).encode(),
        timeout=params.timeout.total_seconds(),
        limits=ProcessLimits(
            memory=int(params.memory),
            cpu_seconds=max(1, round(params.cpu.total_seconds())),
            processes=params.processes,
            file_size=int(params.file_size),
            disk=int(params.disk),
            # Both streams are kept up to this size, and beyond it with a gap.
            output=int(params.max_output),
        ),
        sandbox=sandbox(work_dir, params.read, params.write, params.network, _HARNESS, *places),
        cancel=ctx.cancel,
        on_line=lambda stream, line: ctx.log(line) if stream == "stderr" else None,
    )
    log_unkept(result, ctx)
    returned = _returned(result, params)
    if params.mode == "all":
        if returned is None:
            return []
        made = cast("list[Any]", returned if isinstance(returned, list) else [returned])
        return [Item(_object(value, index)) for index, value in enumerate(made)]
    outputs: list[Item] = []
    for index, (item, value) in enumerate(zip(given, cast("list[Any]", returned), strict=True)):
        several = cast("list[Any]", value if isinstance(value, list) else [] if value is None else [value])
        outputs += [Item(_object(one, index), item.binary, item.sources) for one in several]
    return outputs


def _returned(result: ProcessResult, params: PythonParams) -> Any:
    if result.timed_out:
        raise NodeTimeout(
            f"the code ran longer than {params.timeout.total_seconds():g} s",
            hint="Raise `timeout`, or give it less to do.",
        )
    if result.stdout_dropped:
        raise NodeError(
            f"the result is larger than {params.max_output.human_readable()}",
            code="node.code_output",
            hint="Raise `max_output`, or return less.",
        )
    try:
        answer = json.loads(result.stdout)
    except (ValueError, RecursionError):
        raise NodeError(
            f"the code ended without a result ({result.outcome})",
            code="node.code_died",
            hint=_why(result),
            details={"exit_code": result.exit_code, "stderr": result.error_text[-4000:]},
        ) from None
    if "error" not in answer:
        return answer["result"]
    error = answer["error"]
    place = [f"line {error['line']}"] if error["line"] else []
    place += [f"item {error['item']}"] if error["item"] is not None else []
    message = f"{error['type']}: {error['message']}".removesuffix(": ")
    raise NodeError(
        f"{message} ({', '.join(place)})" if place else message,
        code="node.code_failed",
        hint=_correction(error),
        details={"line": error["line"], "item": error["item"], "type": error["type"], "trace": error["trace"]},
    )


def _correction(error: dict[str, Any]) -> str:
    if error["type"] == "MemoryError":
        return "Raise `memory`, or work on fewer items."
    if error["type"] == "OSError" and "File too large" in error["message"]:
        return "Raise `file_size`, or write less."
    if error["type"] == "OSError" and "No space left" in error["message"]:
        return "Free some space on that disk; PYAGENT_WORK says where runs work."
    return "Correct the code."


def _why(result: ProcessResult) -> str:
    if result.exceeded:
        return f"Raise `{result.exceeded}`, or give it less to do."
    if result.outcome in ("killed by SIGXCPU", "killed by SIGKILL"):
        return "It used more processor time than `cpu` allows, or the machine ran out of memory."
    if result.outcome == "killed by SIGXFSZ":
        return "It wrote a file larger than `file_size` allows."
    return "The code ended its own process; return a value instead."


def _object(value: Any, index: int) -> JsonObject:
    if not isinstance(value, dict):
        raise NodeError(
            f"the code returned {type(value).__name__} where a JSON object goes (item {index})",
            code="node.code_returned",
            hint='Return objects, e.g. `return [{"value": x} for x in …]`.',
        )
    return cast("JsonObject", value)
