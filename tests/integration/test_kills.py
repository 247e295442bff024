"""Kill -9 at any moment: nothing is lost, nothing happens twice, and only what cannot be known is asked about.

Engines are processes of their own (tests/programs/engine_worker.py) on one SQLite file with short leases. Moments are
chosen by the events that the run commits; the seed is printed, and PYAGENT_KILL_SEED sets it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine_lab import graph
from pyagent.graph.yaml import load_file
from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.runtime.log import Entry
from pyagent.store import open_store
from pyagent.store.base import Run, Store

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests" / "programs"
LEASE = 0.5
PATIENCE = 60.0
SEED = int(os.environ.get("PYAGENT_KILL_SEED", random.SystemRandom().randrange(10**6)))

PYTHON = 'import time; time.sleep(0.08); return [{"n": item["n"], "square": item["n"] ** 2} for item in items]'
EFFECTS = graph(
    {
        "split": {"use": "data.split", "with": {"field": "list"}},
        "alone": {"use": "kill.post_all", "with": {"what": "alone"}},
        "each": {
            "use": "flow.map",
            "with": {"parallel": 2},
            "body": (
                {
                    "square": {"use": "code.python", "with": {"code": PYTHON}, "effects": "none"},
                    "inner": {
                        "use": "kill.post",
                        "with": {"what": "square {{ $json.square }}"},
                        "write": {"sum": "{{ $json.n }}"},
                    },
                },
                ["square -> inner"],
            ),
        },
        "loop": {"use": "flow.loop", "with": {"batch": 2}},
        "python": {"use": "code.python", "with": {"code": PYTHON}, "effects": "none"},
        "turn": {"use": "kill.post", "with": {"what": "turn {{ $runIndex }}"}, "write": {"sum": "{{ $json.n }}"}},
        "together": {"use": "flow.merge"},
        "file": {
            "use": "io.write_file",
            "with": {"path": "{{ $inputs.path }}", "as": "json", "content": "{{ $('together').all() }}"},
        },
    },
    [
        "split -> alone", "split -> each", "split -> loop", "loop.loop -> python", "python -> turn", "turn -> loop",
        "loop.done -> together.turns", "each -> together.squares", "alone -> together.alone", "together -> file",
    ],
    id="kills",
    state={"sum": {"type": "number", "reduce": "add"}},
    outputs={"done": "{{ $('together').all().map(item => [item.json.what, item.json.n]) }}", "sum": "{{ $state.sum }}"},
)  # fmt: skip
INPUTS: dict[str, Any] = {"list": [{"n": n} for n in range(1, 5)]}
POSTS = {"alone": 1, "inner": 4, "turn": 4}


# -- the processes ------------------------------------------------------------------------------------------------


class Effects:
    """The process outside."""

    def __init__(self, process: Process, port: int, path: Path) -> None:
        self.process, self.port, self.path = process, port, path

    @classmethod
    @asynccontextmanager
    async def running(cls, folder: Path) -> AsyncIterator[Effects]:
        path = folder / "effects.jsonl"
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(PROGRAMS / "effect_server.py"), str(path), stdout=PIPE
        )
        assert process.stdout is not None
        try:
            yield cls(process, int(await process.stdout.readline()), path)
        finally:
            process.kill()
            await process.wait()

    async def kill_next(self, kills: int, *, before: bool) -> None:
        """Kill whoever asks for the next effects, instead of answering."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(json.dumps({"kill": kills, "before": before}).encode() + b"\n")
        await reader.readline()
        writer.close()

    def done(self, run_id: str) -> list[dict[str, Any]]:
        """The effects that took place for a run."""
        found = [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []
        return [effect for effect in found if effect["run"] == run_id]


class Workers:
    """Engine processes, the next of which is always starting already."""

    def __init__(self, store: str, graphs: Path, environment: Mapping[str, str]) -> None:
        self.arguments = [str(PROGRAMS / "engine_worker.py"), store, str(graphs), str(LEASE)]
        self.environment = {**os.environ, **environment}
        self.all: list[Process] = []
        self.next: Process | None = None

    async def _spawn(self) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *self.arguments, stdin=PIPE, stdout=PIPE, env=self.environment
        )
        self.all.append(process)
        return process

    async def take(self, run_id: str, *nodes: str) -> Process:
        """A worker that drives the run, and kills itself where one of the nodes begins."""
        process = self.next or await self._spawn()
        self.next = await self._spawn()
        assert process.stdout is not None
        assert process.stdin is not None
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        assert line == b"ready\n"
        process.stdin.write(f"{' '.join([run_id, *nodes])}\n".encode())
        return process

    async def close(self) -> None:
        for process in self.all:
            if process.returncode is None:
                process.kill()
            await process.wait()


@dataclass(frozen=True)
class Kill:
    """One moment at which a worker dies."""

    nodes: frozenset[str] = frozenset()
    """Die at an event about one of these."""
    count: int = 1
    """At which such event."""
    delay: float = 0.0
    """How many seconds after it."""
    after: str = ""
    """Not before an event of this kind."""
    effect: str = ""
    """`before` or `after`: instead, die while an effect is asked for, before or after it took place."""
    itself: bool = False
    """The worker kills itself as one of the nodes begins: a short last step ends before anybody else could."""


def node_of(step: str) -> str:
    return step.rpartition("/")[2].partition("@")[0]


class Scene:
    """Runs whose workers are killed, and the person who settles what is unknown."""

    def __init__(self, engine: Engine, workers: Workers, effects: Effects | None) -> None:
        self.engine, self.workers, self.effects = engine, workers, effects
        self.store: Store = engine.store
        self.kills: list[Kill] = []
        self.reached: Counter[str] = Counter()
        """Kills by the node whose event they followed."""
        self.unknown: Counter[str] = Counter()

    async def finish(self, run: Run, choose: Callable[[], Kill | None]) -> Run:
        """Drive the run to its end, killing each worker at the moment that `choose` gives for it."""
        while True:
            kill = choose()
            if kill is not None and await self._without_progress(run) >= 3:
                # One more would be a crash loop's fifth before long, which is another test's subject.
                kill = replace(kill, after="step.completed", effect="") if kill.nodes and not kill.itself else None
            worker = await self.workers.take(run.id, *(sorted(kill.nodes) if kill and kill.itself else ()))
            status = await self._drive(worker, run, kill)
            if status == "waiting":
                await self._settle(run)
            elif status:
                return await self.store.get_run(run.id)

    async def _without_progress(self, run: Run) -> int:
        """Workers that have died since a step of the run came to anything."""
        deaths = 0
        for entry in await self.engine.log(run.id):
            deaths = deaths + 1 if entry.kind == "run.adopted" else 0
        return deaths

    async def _drive(self, worker: Process, run: Run, kill: Kill | None) -> str:
        """How the worker says that the run stands; empty if it was killed."""
        assert worker.stdout is not None
        said = asyncio.create_task(worker.stdout.readline())
        aimed = self.effects if kill is not None and kill.effect else None
        if aimed is not None and kill is not None:
            await aimed.kill_next(1, before=kill.effect == "before")
        watched = kill is not None and kill.nodes and not kill.itself
        moment = asyncio.create_task(self._moment(run, kill)) if kill is not None and watched else None
        family: dict[int, psutil.Process] = {}
        while not said.done() and not (moment is not None and moment.done()):
            # Who dies by an effect does so at any time: its children are those that it was seen with.
            family |= {child.pid: child for child in _children(worker.pid)}
            await asyncio.wait({said, moment} if moment else {said}, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
        if moment is not None and not said.done():
            family |= {child.pid: child for child in _children(worker.pid)}
            worker.kill()
        line = (await asyncio.wait_for(said, PATIENCE)).decode().strip()
        if moment is not None and line:
            moment.cancel()
        if line and not line.startswith("at "):
            if aimed is not None:
                await aimed.kill_next(0, before=False)
            return line
        assert kill is not None, "the worker died by itself"
        await worker.wait()
        self.kills.append(kill)
        if moment is not None:
            self.reached[await moment] += 1
        elif line:
            self.reached[line.removeprefix("at ")] += 1
        _, alive = await asyncio.to_thread(psutil.wait_procs, list(family.values()), 10)
        assert not alive, f"children outlived their engine: {alive}"
        return ""

    async def _moment(self, run: Run, kill: Kill) -> str:
        """The node at whose event the worker is to die, when that has come."""
        left, after = kill.count, kill.after
        async for events in self.store.follow(await self.store.last_cursor(), run.id):
            for event in events:
                if after and event.kind == after:
                    after = ""
                left -= node_of(event.step) in kill.nodes
                if left <= 0 and not after and event.step:
                    await asyncio.wait([asyncio.create_task(asyncio.sleep(kill.delay))])
                    return node_of(event.step)
        raise AssertionError("the stream ended")

    async def _settle(self, run: Run) -> None:
        """What a person would do: look at what the process outside has, and say how each unknown try ended."""
        assert self.effects is not None
        log = await self.engine.log(run.id)
        for record in await self.store.steps(run.id):
            if record.status != "unknown":
                continue
            self.unknown[record.node] += 1
            lost = lost_items(log, record.step)
            done = [effect for effect in self.effects.done(run.id) if effect["step"] == record.step]
            if lost:
                done = [effect for effect in done if effect["key"].rpartition(":")[2] in lost]
            if done:
                await self.engine.resolve(run.id, record.step, "done", items=[effect["done"] for effect in done])
            else:
                await self.engine.resolve(run.id, record.step, "retry")


def lost_items(log: Sequence[Entry], step: str) -> set[str]:
    """Indexes of the items of a step whose tries were begun and have no outcome."""
    last = {
        str(entry.data["index"]): entry.data["status"]
        for entry in log
        if entry.kind == "step.item" and str(entry.step) == step
    }
    return {index for index, status in last.items() if status == "begun"}


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@asynccontextmanager
async def scene(
    folder: Path, graphs: Path, environment: Mapping[str, str], effects: Effects | None
) -> AsyncIterator[Scene]:
    """A store, an engine of the test's own for looking and settling, and workers."""
    url = f"sqlite:///{folder}/kills.db"
    sys.path.insert(0, str(PROGRAMS))
    from engine_worker import registry

    store = open_store(url)
    await store.open()
    workers = Workers(url, graphs, environment)
    try:
        yield Scene(Engine(store, registry=registry(), library=GraphLibrary([graphs])), workers, effects)
    finally:
        sys.path.remove(str(PROGRAMS))
        await workers.close()
        await store.close()


# -- what must hold -----------------------------------------------------------------------------------------------


def assert_unknown_only_where_a_kill_fell_between_beginning_and_commit(log: Sequence[Entry]) -> None:
    begun: dict[tuple[str, Any], bool] = {}
    adopted_since: set[tuple[str, Any]] = set()
    for entry in log:
        place = (str(entry.step), entry.data.get("index"))
        if entry.kind == "step.begun" or (entry.kind == "step.item" and entry.data["status"] == "begun"):
            begun[place] = True
            adopted_since.discard(place)
        elif entry.kind in ("step.ended", "step.tried", "step.item"):
            begun.pop(place, None)
        elif entry.kind == "run.adopted":
            adopted_since |= set(begun)
        elif entry.kind == "step.unknown":
            assert any(step == str(entry.step) for step, _ in adopted_since), entry


def assert_no_effect_twice(effects: Effects, run: Run) -> None:
    done = effects.done(run.id)
    assert [key for key, times in Counter(effect["key"] for effect in done).items() if times > 1] == []
    assert Counter(node_of(effect["step"]) for effect in done) == POSTS


class Chooser:
    """Chooses moments so that every node is reached, and as many kills as wanted are aimed at effects."""

    def __init__(self, chance: random.Random, stage: Scene, nodes: Mapping[str, int], aimed: int, delay: float) -> None:
        self.chance, self.stage, self.delay = chance, stage, delay
        self.nodes = Counter(nodes)
        self.all = frozenset(nodes)
        self.aimed = Counter({"before": aimed - aimed // 2, "after": aimed // 2})
        self.kills = sum(nodes.values()) + aimed

    @property
    def done(self) -> bool:
        """Whether there were enough kills of each sort."""
        return self.kills <= len(self.stage.kills) and not self.nodes - self.stage.reached and not self._effects()

    def _effects(self) -> Counter[str]:
        return self.aimed - Counter(kill.effect for kill in self.stage.kills if kill.effect)

    def __call__(self) -> Kill | None:
        if self.done:
            return None
        wanted, effects = self.nodes - self.stage.reached, self._effects()
        if effects and (not wanted or self.chance.random() < 0.4):
            return Kill(effect=self.chance.choice(sorted(effects)))
        delay = self.chance.choice([0.0, self.chance.uniform(0.0, self.delay)])
        if 0 < len(wanted) <= 4:
            return Kill(frozenset(wanted), itself=True)
        return Kill(frozenset(wanted) or self.all, self.chance.choice([1, 1, 2]), delay)


async def test_a_run_with_once_steps_ends_after_many_kills_as_if_there_had_been_none(tmp_path: Path) -> None:
    print(f"PYAGENT_KILL_SEED={SEED}")
    graphs = tmp_path / "graphs"
    graphs.mkdir()
    async with (
        Effects.running(tmp_path) as effects,
        scene(tmp_path, graphs, {"PYAGENT_EFFECTS": str(effects.port)}, effects) as stage,
    ):
        calm = await stage.engine.start(EFFECTS, INPUTS | {"path": str(tmp_path / "calm.json")})
        assert (await stage.finish(calm, lambda: None)).status == "completed"
        assert_no_effect_twice(effects, calm)
        expected = await stage.engine.outputs(calm.id)

        nodes = dict.fromkeys(EFFECTS.by_id, 2) | {"square": 5, "python": 5, "together": 1, "file": 1}
        choose = Chooser(random.Random(SEED), stage, nodes, aimed=10, delay=0.08)
        for number in range(20):
            if choose.done:
                break
            path = tmp_path / f"killed{number}.json"
            run = await stage.engine.start(EFFECTS, INPUTS | {"path": str(path)})
            ended = await stage.finish(run, choose)

            assert ended.status == "completed", ended.error
            assert await stage.engine.outputs(run.id) == expected
            assert path.read_text() == (tmp_path / "calm.json").read_text()
            assert_no_effect_twice(effects, run)
            assert_unknown_only_where_a_kill_fell_between_beginning_and_commit(await stage.engine.log(run.id))

        print(f"{len(stage.kills)} kills: {dict(stage.reached)}; unknown: {dict(stage.unknown)}")
        assert choose.done
        assert len(stage.kills) >= 34
        assert sum(bool(kill.effect) for kill in stage.kills) >= 10
        assert sum(stage.unknown.values()) >= 10


SERVICE = graph(
    {
        "count": {"use": "flow.noop", "write": {"runs": "{{ 1 }}"}},
        "effect": {"use": "kill.post_all", "with": {"what": "turn {{ $state.runs }}"}},
        "more": {"use": "flow.if", "with": {"when": "{{ $state.runs < 5 }}"}},
        "anew": {"use": "flow.restart", "with": {"items": "given", "inputs": {"n": "{{ $state.runs }}"}}},
    },
    ["count -> effect", "effect -> more", "more.true -> anew"],
    id="service",
    state={"runs": {"type": "integer", "reduce": "add"}},
    outputs={"runs": "{{ $state.runs }}", "n": "{{ $json.n }}"},
)


async def test_a_run_that_begins_anew_under_kills_has_one_successor_each_time(tmp_path: Path) -> None:
    graphs = tmp_path / "graphs"
    graphs.mkdir()
    async with (
        Effects.running(tmp_path) as effects,
        scene(tmp_path, graphs, {"PYAGENT_EFFECTS": str(effects.port)}, effects) as stage,
    ):
        run = await stage.engine.start(SERVICE, {"n": 0}, key="service")
        outputs: list[Any] = []
        chain = [run.id]
        # The event `run.continued` is told as the last commit, which makes the successor, is on its way.
        places = ("effect", "anew", "run.continued")
        while True:

            def choose(number: int = len(chain)) -> Kill | None:
                left = [place for place in places if stage.reached[place] < number]
                return Kill(frozenset(left[:1]), itself=True) if left else None

            run = await stage.finish(run, choose)
            assert run.status == "completed", run.error
            outputs.append(await stage.engine.outputs(run.id))
            if run.continued_as is None:
                break
            run = await stage.store.get_run(run.continued_as)
            chain.append(run.id)

        assert outputs == [{"runs": number, "n": max(0, number - 1)} for number in range(1, 6)]
        assert [found.id for found in reversed(await stage.store.list_runs())] == chain
        assert (await stage.store.get_run(chain[-1])).key == "service"
        assert [len(effects.done(run_id)) for run_id in chain] == [1] * 5
        print(f"{len(stage.kills)} kills: {dict(stage.reached)}")
        assert stage.reached == {"run.continued": 4, "anew": 4, "effect": 5}


PLANTED = {
    "pytest.ini": "[pytest]\n",
    "quotes.py": "import inspect\nimport os\n\n\ndef shown():\n    return  'single'\n\n\ndef source():\n"
    "    return inspect.getsource(shown)\n\n\ndef  spaced( a,b ):\n    return { 'a':a,'b' : b }\n",
    "test_planted.py": "import unittest\nfrom quotes import source, spaced\n\n\n"
    "class Planted(unittest.TestCase):\n"
    "    def test_source_is_as_written(self):\n        self.assertIn(\"return  'single'\", source())\n\n"
    "    def test_spaced(self):\n        self.assertEqual(spaced(1, 2), {'a': 1, 'b': 2})\n",
}
GRAPHS = ROOT / "graphs"
MAIN = [
    node for name in ("code_test_audit_docs", "code_repair") for node in load_file(GRAPHS / f"{name}.yaml").spec.by_id
]
_OF_ITS_OWN = re.compile(
    r"[0-9a-f]{64}|[0-9a-f]{20}|\d{4}-\d\d-\d\d[T ][\d:.]+(?:\+00:00|Z)?|\d+(?:\.\d+)?(?:e-?\d+)?(?= ?m?s\b)"
)


def plain(value: Any) -> Any:
    """A report without times, ids and the addresses of what holds them."""
    if isinstance(value, dict):
        return {
            name: plain(part)
            for name, part in value.items()
            if not re.search(r"seconds|started|ended|_at$|duration|digest|^size$|timing|^steps$|^times$", name)
        }
    if isinstance(value, list):
        return [plain(part) for part in value]
    return _OF_ITS_OWN.sub("…", value) if isinstance(value, str) else value


async def test_the_main_graph_gives_the_same_report_though_its_engine_is_killed_at_every_node(tmp_path: Path) -> None:
    print(f"PYAGENT_KILL_SEED={SEED}")
    repository = tmp_path / "planted"
    for name, content in PLANTED.items():
        repository.mkdir(exist_ok=True)
        (repository / name).write_text(content)
    environment = {"XDG_DATA_HOME": str(tmp_path / "data")}
    async with scene(tmp_path, GRAPHS, environment, None) as stage:
        inputs = {"repository": str(repository), "output": str(tmp_path / "calm")}
        calm = await stage.engine.start("code_test_audit_docs", inputs)
        calm = await stage.finish(calm, lambda: None)
        assert calm.status == "completed", calm.error

        choose = Chooser(random.Random(SEED), stage, dict.fromkeys(MAIN, 1) | {"check": 2, "audit": 2}, 0, delay=0.3)
        for number in range(16):
            if choose.done:
                break
            inputs = {"repository": str(repository), "output": str(tmp_path / f"killed{number}")}
            run = await stage.engine.start("code_test_audit_docs", inputs)
            ended = await stage.finish(run, choose)

            assert ended.status == "completed", ended.error
            before, after = (
                plain(json.loads((tmp_path / name / "report.json").read_text().replace(str(tmp_path / name), "out")))
                for name in ("calm", f"killed{number}")
            )
            assert after == before

        print(f"{len(stage.kills)} kills: {dict(stage.reached)}")
        assert choose.done
        assert len(stage.kills) >= 16
        assert not stage.unknown
