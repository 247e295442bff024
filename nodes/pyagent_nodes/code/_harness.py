"""Runs a user's function body in a process of its own: `code.python` starts this file as a script, with `-I`.

stdin: `{code, mode, items, inputs, state}` as JSON. stdout: `{result}` or `{error: {type, message, line, trace}}`.
What the code prints goes to stderr, so that it cannot be taken for the result.
"""

from __future__ import annotations

import ast
import json
import linecache
import os
import sys
import traceback
from collections.abc import Iterator
from typing import Any, cast

NAME = "<code>"


def main() -> None:
    """Read the work from stdin, do it, write the outcome to stdout."""
    given: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - input() must find an end, not items
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)  # type: ignore[union-attr]
    item: int | None = None
    try:
        each = given["mode"] == "each"
        function = compiled(given["code"], "item" if each else "items")
        if each:
            result: Any = []
            for index, value in enumerate(given["items"]):
                item = index
                result.append(function(value, given["inputs"], given["state"]))
        else:
            result = function(given["items"], given["inputs"], given["state"])
            if isinstance(result, Iterator):
                result = list(cast("Iterator[Any]", result))
        item = None
        text = json.dumps({"result": result}, allow_nan=False, separators=(",", ":"))
        content = text.encode()
    except BaseException as error:
        content = json.dumps({"error": {**described(error), "item": item}}).encode()
    sys.stdout.flush()
    with answer:
        answer.write(content)
    # Threads that the code left running must not hold up the step.
    os._exit(0)


def compiled(code: str, argument: str) -> Any:
    """The code as the body of a function; its line numbers stay those of the parameter."""
    linecache.cache[NAME] = (len(code), None, code.splitlines(keepends=True), NAME)
    body = ast.parse(code, NAME).body
    frame = ast.parse(f"def run({argument}, inputs, state): pass")
    function = frame.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = body or [ast.Pass()]
    ast.fix_missing_locations(frame)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(frame, NAME, "exec"), names)  # noqa: S102 - this is what the node is for
    return names["run"]


def described(error: BaseException) -> dict[str, Any]:
    """The error, with the last line of the user's code that led to it."""
    found = traceback.TracebackException.from_exception(error, compact=True)
    own = [frame for frame in found.stack if frame.filename == NAME]
    line = own[-1].lineno if own else None
    if isinstance(error, SyntaxError) and error.filename == NAME:
        line = error.lineno
        message = error.msg
    else:
        message = str(error)
    while found.stack and found.stack[0].filename != NAME:  # our own frames say nothing to the user
        del found.stack[0]
    return {"type": type(error).__name__, "message": message, "line": line, "trace": "".join(found.format())}


if __name__ == "__main__":
    main()
