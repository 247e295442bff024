"""What a LangGraph saver of any store does with a channel that grows: differences, and never one without its base."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph

from pyagent.store.checkpoints import StoreSaver

TURNS = 12


class Talk(TypedDict):
    lines: Annotated[list[str], operator.add]


def line(number: int) -> str:
    """Text that only itself helps to compress."""
    return f"{number}: " + " ".join(f"{(number * 7919 + word * 104_729) ** 3:x}" for word in range(40))


def talk(saver: StoreSaver) -> Any:
    """A graph that adds a line each turn."""
    builder = StateGraph(Talk)
    builder.add_node("say", lambda state: {"lines": [line(len(state["lines"]))]})
    builder.add_edge(START, "say")
    builder.add_edge("say", END)
    return builder.compile(checkpointer=saver)


def place(thread: str) -> Any:
    """Where a thread is."""
    return {"configurable": {"thread_id": thread}}


async def grow(saver: StoreSaver, thread: str, turns: int = TURNS) -> None:
    """So many turns more."""
    graph = talk(saver)
    for _ in range(turns):
        await graph.ainvoke({"lines": []}, place(thread))


async def check_growing_channel(saver: StoreSaver, later: StoreSaver) -> None:
    """Differences are read, pruned, copied, deleted, and begun anew; `later` is a saver of a later process."""
    whole = [line(number) for number in range(TURNS)]
    await grow(saver, "a")
    history = [state async for state in talk(later).aget_state_history(place("a"))]
    assert sorted({len(state.values.get("lines", [])) for state in history}) == list(range(TURNS + 1))
    assert all(state.values.get("lines", []) == whole[: len(state.values.get("lines", []))] for state in history)

    await saver.acopy_thread("a", "b")
    await saver.aprune(["a"], strategy="keep_latest")
    for thread in ("a", "b"):
        assert (await talk(later).aget_state(place(thread))).values["lines"] == whole
    await grow(saver, "a", 2)  # what the saver remembers is kept still, or not: either way it is right
    assert len((await talk(later).aget_state(place("a"))).values["lines"]) == TURNS + 2

    await saver.adelete_thread("a")
    await grow(saver, "a")  # the saver remembers values of a thread that is gone
    assert (await talk(later).aget_state(place("a"))).values["lines"] == whole
