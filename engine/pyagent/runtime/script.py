"""Scripts in the expression language: the body of a function, run in an engine and a thread of its own.

A script sees what expressions see, under limits of its own, and `items` (or `item`) and `console`; the clock and
`Math.random()` are those of its step, so it gives the same in a replay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import Any, cast

from pyagent.native import Engine, ScriptError
from pyagent.runtime import _luxon
from pyagent.runtime.expression_context import EvaluationContext
from pyagent.runtime.expression_template import Expression
from pyagent.runtime.expressions import decoded, encoded
from pyagent.sdk.context import CancelToken, Level
from pyagent.sdk.script import ScriptFailed, ScriptLimits, ScriptMode

Log = Callable[..., None]
"""`ctx.log`."""
Say = Callable[[Level, str], None]

_BATCH = 200
"""Items worked on in one visit to the thread."""

_PATIENCE = 50
"""Hundredths of a second that a stop waits for the thread to end."""

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
    """One program; for one thread at a time."""

    def __init__(self, code: str, mode: ScriptMode, timezone: str, limits: ScriptLimits) -> None:
        """Raises `ScriptFailed` if the code does not parse."""
        self._code = code
        self._mode: ScriptMode = mode
        self._limits = limits
        _, names, _, _, self._random, self._dates, _ = Expression(code, 1, 1).analysis
        roots = Expression(code, 1, 1).arguments
        parameters = Expression(code, 1, 1).parameters
        # The header gives the current item itself, whole.
        self._roots = [
            (parameter, attribute)
            for parameter, (attribute, _) in zip(parameters, roots, strict=True)
            if parameter not in ("$json", "$binary")
        ]
        try:
            self._engine = Engine(timezone=timezone, time_limit=limits.seconds, memory_limit=limits.memory)
            if names & {"$now", "$today"}:
                self._engine.provide_luxon(_luxon.source())
            self._program = self._compile()
        except ScriptError as error:
            raise self._failed(error, None) from None

    def _compile(self) -> int:
        source = f"{_HEADER}{self._code}{_FOOTER}"
        parameters = [*(name for name, _ in self._roots), "__given", "__each"]
        try:
            return self._engine.compile(source, parameters)
        except ScriptError as error:
            if error.args[0] != "needs_luxon":
                raise
        self._engine.provide_luxon(_luxon.source())
        return self._engine.compile(source, parameters)

    def run(
        self,
        given: Any,
        context: EvaluationContext,
        index: int | None,
        say: Say,
        loop: asyncio.AbstractEventLoop,
    ) -> Any:
        """What the code returns for `given`: an item, or a list of them. Reads are answered in `loop`.

        Raises `ScriptFailed`, and what reading another node raises.
        """
        arguments = tuple(_argument(getattr(context, attribute)) for _, attribute in self._roots)
        try:
            value = self._engine.run(
                self._program,
                (*arguments, encoded(given), self._mode == "each"),
                False,
                context.now.timestamp() * 1000.0 if self._dates else 0.0,
                context.seed if self._random else 0,
                partial(_answer, context, say, loop),
            )
        except ScriptError as error:
            raise self._failed(error, index) from None
        return decoded(value) if type(value) is bytes else value

    def interrupt(self) -> None:
        """Stop the run that another thread has going on."""
        self._engine.interrupt()

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
    given: Iterable[tuple[Any, EvaluationContext]],
    *,
    mode: ScriptMode,
    timezone: str,
    limits: ScriptLimits,
    cancel: CancelToken,
    log: Log,
) -> list[Any]:
    """What the code returned for each of `given`: what it works on, and what it can read meanwhile.

    Raises `ScriptFailed`, what reading another node raises, and `NodeCancelled` when `cancel` asks for it. A stop
    interrupts the code; only a native function that is under way (the largest takes a second or two) ends first,
    in a thread that nobody waits for.
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

    script: Script | None = None
    stopped = False

    def work(batch: Sequence[tuple[Any, EvaluationContext]], start: int) -> list[Any]:
        nonlocal script
        if script is None:
            script = Script(code, mode, timezone, limits)
        found: list[Any] = []
        for index, (value, context) in enumerate(batch, start):
            if stopped:
                break
            found.append(script.run(value, context, index if mode == "each" else None, say, loop))
        return found

    async def turn(batch: Sequence[tuple[Any, EvaluationContext]], start: int) -> list[Any]:
        working = asyncio.ensure_future(asyncio.to_thread(work, batch, start))
        asked = asyncio.ensure_future(cancel.wait())
        try:
            await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
            cancel.check()
            return await working
        finally:
            asked.cancel()
            # What the thread raises after its end was asked for is nobody's.
            working.add_done_callback(lambda done: done.cancelled() or done.exception())
            await stop(working)

    async def stop(working: asyncio.Future[Any]) -> None:
        nonlocal stopped
        stopped = not working.done()
        for _ in range(_PATIENCE):
            if working.done():
                return
            # Again and again: a run that was just about to begin does not notice.
            if script is not None:
                script.interrupt()
            await asyncio.wait({working}, timeout=0.01)

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
    context: EvaluationContext, say: Say, loop: asyncio.AbstractEventLoop, kind: str, name: str, which: str, port: str
) -> bytes | None:
    """Answers the engine's reads of items, and takes what `console` says."""
    if kind == "node" and name.startswith(_CONSOLE):
        level, _, text = name.removeprefix(_CONSOLE).partition(" ")
        say(cast("Level", level), text)
        return None

    async def look() -> bytes | None:
        found = context.items_of(kind, name, which, port)
        return None if found is None else encoded(found)

    # Where the run's state lives: nothing changes it meanwhile.
    return asyncio.run_coroutine_threadsafe(look(), loop).result()
