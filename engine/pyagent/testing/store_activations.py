"""The part of the suite for stores that is about which graphs the world may start."""

from __future__ import annotations

import asyncio

import pytest

from pyagent.errors import NotFound
from pyagent.store.base import ClaimTaken, Store
from pyagent.testing.store_parts import PATIENCE


class ActivationConformance:
    """Activations: pinned to a version, one a graph, with claims that nobody else has."""

    async def test_an_active_graph_is_listed_in_its_version_until_it_is_deactivated(self, store: Store) -> None:
        await store.put_graph("mail", "hash-1", "one")
        await store.put_graph("clock", "hash-2", "two")
        before = await store.now()
        made = await store.activate("mail", "hash-1", claims=["POST /mail"], actor="ann")
        await store.activate("clock", "hash-2")

        assert (made.graph_id, made.graph_hash, made.actor, list(made.claims)) == (
            *("mail", "hash-1", "ann"),
            ["POST /mail"],
        )
        assert before <= made.at == made.since
        assert [active.graph_id for active in await store.activations()] == ["clock", "mail"]
        assert (await store.activations())[1] == made
        assert await store.deactivate("mail") is True
        assert await store.deactivate("mail") is False
        assert [active.graph_id for active in await store.activations()] == ["clock"]

    async def test_activating_again_takes_the_new_version_and_remembers_since_when(self, store: Store) -> None:
        await store.put_graph("mail", "hash-1", "one")
        await store.put_graph("mail", "hash-2", "two")
        first = await store.activate("mail", "hash-1", claims=["POST /a", "POST /b"])
        second = await store.activate("mail", "hash-2", claims=["POST /b"])

        assert (second.graph_hash, second.since) == ("hash-2", first.since)
        assert second.at >= first.at
        assert await store.activations() == [second]
        await store.deactivate("mail")
        assert (await store.activate("mail", "hash-2")).since >= second.at

    async def test_a_version_that_is_not_kept_cannot_be_active(self, store: Store) -> None:
        with pytest.raises(NotFound):
            await store.activate("mail", "hash-1")
        assert await store.activations() == []

    async def test_a_claim_belongs_to_one_active_graph(self, store: Store) -> None:
        await store.put_graph("mail", "hash-1", "one")
        await store.put_graph("post", "hash-2", "two")
        await store.activate("mail", "hash-1", claims=["POST /a", "POST /b"])

        with pytest.raises(ClaimTaken) as caught:
            await store.activate("post", "hash-2", claims=["POST /c", "POST /b"])
        assert caught.value.details == {"graph": "mail", "claims": ["POST /b"]}
        assert [active.graph_id for active in await store.activations()] == ["mail"]
        await store.deactivate("mail")
        await store.activate("post", "hash-2", claims=["POST /c", "POST /b"])

    async def test_a_triggers_problem_is_kept_until_it_works_or_the_graph_is_activated_again(
        self, store: Store
    ) -> None:
        await store.set_problem("mail", "watch", {"code": "node.failed"})
        assert await store.activations() == []
        await store.put_graph("mail", "hash-1", "one")
        await store.activate("mail", "hash-1")
        await store.set_problem("mail", "watch", {"code": "node.failed"})
        await store.set_problem("mail", "clock", {"code": "node.crashed"})

        assert (await store.activations())[0].problems == {
            "watch": {"code": "node.failed"},
            "clock": {"code": "node.crashed"},
        }
        await store.set_problem("mail", "watch", None)
        await store.set_problem("mail", "watch", None)
        assert list((await store.activations())[0].problems) == ["clock"]
        await store.activate("mail", "hash-1")
        assert (await store.activations())[0].problems == {}

    async def test_other_handles_notice_that_a_graph_was_activated(self, store: Store, peer: Store) -> None:
        await store.put_graph("mail", "hash-1", "one")
        mark = peer.mark()
        waiting = asyncio.create_task(peer.changed(PATIENCE, mark))
        await asyncio.sleep(0)
        await store.activate("mail", "hash-1")

        assert await waiting
        assert len(await peer.activations()) == 1
