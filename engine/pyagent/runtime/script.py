"""Scripts in the expression language: the body of a function, run in an engine in a process of its own.

A script sees what expressions see, under limits of its own, and `items` (or `item`) and `console`; the clock and
`Math.random()` are those of its step, so it gives the same in a replay. A thread waits for the process, which is killed
when its time is over or a stop is asked for, whatever it is doing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import islice
from typing import Any, TypeAlias, cast
from uuid import uuid4

from pyagent.native import ScriptError
from pyagent.runtime.expression_context import EvaluationContext
from pyagent.runtime.expression_process import Leash, Run, Task, run_leashed
from pyagent.runtime.expression_template import Expression
from pyagent.runtime.expressions import decoded, encoded
from pyagent.sdk.context import CancelToken, Level
from pyagent.sdk.script import ScriptFailed, ScriptLimits, ScriptMode

Log = Callable[..., None]
"""`ctx.log`."""
Say = Callable[[Level, str], None]
Given: TypeAlias = tuple[Any, EvaluationContext]
"""What the code works on once, and what it can read meanwhile."""

_BATCH = 200
"""Items, at most, that are taken up at once."""
_FULL = 4 << 20
"""Bytes of items beyond which no more of them go to the process together."""
_MOST = max(4, os.cpu_count() or 1)
"""Scripts that run at once; who comes later waits. Expressions have processes of their own."""

_CONSOLE = "\0console "
"""Before what `console` says; it goes the way of reads of nodes, of which none has such a name."""

# The first line is ours, so the code's lines are one further down. The code is a function inside a function: it may
# declare `items`, `$json` and the like itself, as programs written for n8n do.
_HEADER = (
    "((read, host, given, each) => {"
    "const said = (value) => typeof value === 'string' ? value : value instanceof Error ? String(value)"
    " : typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);"
    "const say = (level) => (...values) => { read('\\0console ' + level + ' ' + values.map(said).join(' ')).first(); };"
    "const console = Object.freeze({log: say('info'), info: say('info'), debug: say('debug'),"
    " warn: say('warning'), error: say('error')});"
    "const [item, items] = each ? [given.json, undefined] : [undefined, given.map((one) => one.json)];"
    "const $json = each ? given.json : items[0] ?? {};"
    "const $binary = (each ? given : given[0])?.binary;"
    "const pick = (which, own) => (port) => port === undefined && !each ? own() : host[which](port);"
    "const $input = Object.freeze({all: pick('all', () => given), first: pick('first', () => given[0]),"
    " last: pick('last', () => given[given.length - 1]), item: each ? given : given[0]});"
    "return (function () {\n"
)
_FOOTER = "\n})(); })($, $input, __given, __each)"


class Script:
    """One program, and how its runs are asked for; for one thread at a time."""

    def __init__(self, code: str, mode: ScriptMode, timezone: str, limits: ScriptLimits) -> None:
        self._code = code
        self._mode: ScriptMode = mode
        self._limits = limits
        self._timezone = timezone
        self._domain = uuid4().hex
        expression = Expression(code, 1, 1)
        _, _, _, _, self._random, self._dates, _ = expression.analysis
        # The header gives the current item itself, whole.
        self._roots = [
            (parameter, attribute)
            for parameter, (attribute, _) in zip(expression.parameters, expression.arguments, strict=True)
            if parameter not in ("$json", "$binary")
        ]

    def run(self, batch: Sequence[Given], start: int, say: Say, loop: asyncio.AbstractEventLoop, leash: Leash) -> Any:
        """What the code returns for each of `batch`, of which the first is item `start`. Reads are answered in `loop`.

        An empty batch only checks the code. Raises `ScriptFailed`, and what reading another node raises.
        """
        made: list[Any] = []
        for runs in self._together(batch):
            task = Task(
                domain=self._domain,
                timezone=self._timezone,
                time_limit=self._limits.seconds,
                memory_limit=self._limits.memory,
                code=f"{_HEADER}{self._code}{_FOOTER}",
                parameters=(*(name for name, _ in self._roots), "__given", "__each"),
                runs=tuple(runs),
            )
            contexts = [context for _, context in batch[len(made) : len(made) + len(runs)]]
            found: list[Any] = []
            try:
                run_leashed(task, partial(_answer, contexts, say, loop), found, leash)
            except ScriptError as error:
                item = start + len(made) + len(found) if self._mode == "each" and runs else None
                raise self._failed(error, item) from None
            made += [decoded(value) if type(value) is bytes else value for value in found]
        return made

    def _together(self, batch: Sequence[Given]) -> Iterator[list[Run]]:
        """The runs for a batch, as many at once as are not too large together."""
        runs: list[Run] = []
        size = 0
        for given, context in batch:
            whole = encoded(given)
            run = Run(
                arguments=(
                    *(_argument(getattr(context, attribute)) for _, attribute in self._roots),
                    whole,
                    self._mode == "each",
                ),
                now=context.now.timestamp() * 1000.0 if self._dates else 0.0,
                seed=context.seed if self._random else 0,
            )
            more = sum(len(argument) for argument in run.arguments if isinstance(argument, bytes))
            if runs and size + more > _FULL:
                yield runs
                runs, size = [], 0
            runs.append(run)
            size += more
        if runs or not batch:
            yield runs

    def _failed(self, error: ScriptError, item: int | None) -> ScriptFailed:
        kind, message, line, _ = error.args
        last = len(self._code.rstrip().split("\n"))
        line = line - 1 if line else None
        if line is not None and (line > last or message == "the expression is not complete"):
            line, message = last, "the code is not complete, or has a bracket too many"
        if line is not None and line < 1:
            line = None
        message = message.replace("the expression", "the code").replace("an expression", "code")
        hint = "Correct the code."
        if kind == "timeout":
            hint = "Raise `timeout`, or give it less to do."
        elif kind == "memory":
            hint = "Raise `memory`, or work on fewer items (mode `each`)."
        elif kind == "syntax" and "await" in self._code:
            hint = "Code here only computes: there are no promises, so no `await`, and no requests; use io.http."
        codes = {"timeout": "node.timeout", "memory": "node.code_memory"}
        return ScriptFailed(message, code=codes.get(kind, "node.code_failed"), hint=hint, line=line, item=item)


async def run_script(
    code: str,
    given: Iterable[Given],
    *,
    mode: ScriptMode,
    timezone: str,
    limits: ScriptLimits,
    cancel: CancelToken,
    log: Log,
) -> list[Any]:
    """What the code returned for each of `given`: what it works on, and what it can read meanwhile.

    Raises `ScriptFailed`, what reading another node raises, and `NodeCancelled` when `cancel` asks for it: then the
    code has ended.
    """
    loop = asyncio.get_running_loop()
    lines = 0

    def say(level: Level, text: str) -> None:
        nonlocal lines
        lines += 1
        if lines <= limits.lines:
            loop.call_soon_threadsafe(partial(log, text, level=level))
        elif lines == limits.lines + 1:
            loop.call_soon_threadsafe(partial(log, f"more than {limits.lines} lines; the rest is left out"))

    script = Script(code, mode, timezone, limits)

    async def turn(batch: Sequence[Given], start: int) -> list[Any]:
        leash = Leash()
        job = _threads().submit(script.run, batch, start, say, loop, leash)
        working = asyncio.wrap_future(job)
        asked = asyncio.ensure_future(cancel.wait())
        try:
            await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
            cancel.check()
            return await working
        finally:
            asked.cancel()
            # What the thread raises after its end was asked for is nobody's.
            working.add_done_callback(lambda done: done.cancelled() or done.exception())
            leash.pull()
            if not job.cancel():
                await asyncio.wait({working})

    waiting = iter(given)
    made: list[Any] = []
    first = True
    while (batch := list(islice(waiting, _BATCH))) or first:
        first = False
        made += await turn(batch, len(made))
    return made


def _argument(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float) else encoded(value)


def _answer(
    contexts: Sequence[EvaluationContext],
    say: Say,
    loop: asyncio.AbstractEventLoop,
    run: int,
    kind: str,
    name: str,
    which: str,
    port: str,
) -> bytes | None:
    """Answers the engine's reads of items, and takes what `console` says."""
    if kind == "node" and name.startswith(_CONSOLE):
        level, _, text = name.removeprefix(_CONSOLE).partition(" ")
        say(cast("Level", level), text)
        return None

    async def look() -> bytes | None:
        found = contexts[run].items_of(kind, name, which, port)
        return None if found is None else encoded(found)

    # Where the run's state lives: nothing changes it meanwhile.
    return asyncio.run_coroutine_threadsafe(look(), loop).result()


@cache
def _threads() -> ThreadPoolExecutor:
    """Threads that wait for scripts, so that nothing else does."""
    return ThreadPoolExecutor(max_workers=_MOST, thread_name_prefix="scripts")
