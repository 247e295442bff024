"""Graph versions as property graphs of their own, and which of them the world may start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyagent.errors import GraphError, NotFound
from pyagent.store import codec, sealing
from pyagent.store.base import Activation, ClaimTaken, GraphVersion
from pyagent.store.neo4j.connection import do, row, rows
from pyagent.store.neo4j.values import moment

if TYPE_CHECKING:
    from neo4j import AsyncManagedTransaction

_PUT = """
MATCH (c:Counter {name: 'version'})
SET c.value = c.value + 1
WITH c.value AS put
OPTIONAL MATCH (old:Version {hash: $hash})
WITH put, old IS NULL AS new
MERGE (g:Graph {id: $graph})
MERGE (v:Version {hash: $hash})
ON CREATE SET v.graph_id = $graph, v.text = $text,
              v.created_at = datetime.truncate('microsecond', datetime.realtime())
SET v.put = put
MERGE (g)-[:HAS_VERSION]->(v)
RETURN new
"""
_NODES = """
MATCH (v:Version {hash: $hash})
UNWIND $nodes AS values
CREATE (n:Node {version: $hash})
SET n += values
CREATE (v)-[:HAS_NODE]->(n)
"""
_EDGES = """
UNWIND $edges AS edge
MATCH (source:Node {version: $hash, id: edge.source}), (target:Node {version: $hash, id: edge.target})
CREATE (source)-[:EDGE {source_port: edge.source_port, target_port: edge.target_port}]->(target)
"""
_BODIES = """
UNWIND $bodies AS body
MATCH (outer:Node {version: $hash, id: body.outer}), (inner:Node {version: $hash, id: body.inner})
CREATE (outer)-[:HAS_BODY]->(inner)
"""
_GET = "MATCH (v:Version {hash: $hash}) RETURN v {.*} AS version"
_VERSIONS = """
MATCH (v:Version) WHERE v.graph_id = $graph AND v.put > 0
RETURN v {.*} AS version ORDER BY v.put DESC LIMIT $limit
"""
_CHANGED = "MATCH (c:Counter {name: 'version'}) SET c.value = c.value + 1"
"""Others look at the counter; its lock lets one graph at a time be activated."""
_ACTIVATIONS = "MATCH (a:Activation) RETURN a {.*} AS active ORDER BY a.graph_id"
_ACTIVATE = """
MATCH (v:Version {hash: $hash})
WITH v, datetime.truncate('microsecond', datetime.realtime()) AS now
MERGE (a:Activation {graph_id: $graph})
ON CREATE SET a.since = now
SET a.graph_hash = $hash, a.actor = $actor, a.at = now, a.claims = $claims, a.problems = $problems
WITH a, v
OPTIONAL MATCH (a)-[old:ACTIVATES]->()
DELETE old
WITH DISTINCT a, v
CREATE (a)-[:ACTIVATES]->(v)
RETURN a {.*} AS active
"""


async def put(to: AsyncManagedTransaction, graph_id: str, hash: str, text: str) -> None:
    """Keep a version, with its nodes and edges, and make it the graph's latest."""
    kept = text if sealing.writer() is None else codec.encode(text.encode())
    made = await row(to, _PUT, graph=graph_id, hash=hash, text=kept)
    if made is None or not made["new"]:
        return
    nodes, edges, bodies = _parts(text)
    if nodes:
        await do(to, _NODES, hash=hash, nodes=nodes)
        await do(to, _EDGES, hash=hash, edges=edges)
        await do(to, _BODIES, hash=hash, bodies=bodies)


def _parts(text: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """The nodes, edges and bodies of a graph's text; none of a text that is no graph."""
    from pyagent.graph.yaml import load_text

    try:
        spec = load_text(text).spec
    except GraphError:
        return [], [], []
    nodes: list[dict[str, Any]] = []
    edges = list(spec.edges)
    bodies: list[dict[str, Any]] = []
    for place in spec.places():
        node = place.node
        nodes.append({"id": node.id, "use": str(node.use), "name": node.label, "disabled": node.disabled})
        if place.owner is not None:
            bodies.append({"outer": place.owner, "inner": node.id})
        if node.body is not None:
            edges.extend(node.body.edges)
    found = [
        {
            "source": edge.source,
            "source_port": edge.source_port,
            "target": edge.target,
            "target_port": edge.target_port,
        }
        for edge in edges
    ]
    return nodes, found, bodies


async def get(of: AsyncManagedTransaction, hash: str) -> GraphVersion:
    """The version with this hash. Raises `NotFound`."""
    found = await row(of, _GET, hash=hash)
    if found is None:
        raise NotFound(
            f"There is no graph version {hash}.",
            code="graph.not_found",
            hint="A version is kept once a run has used it: see `pyagent runs`.",
        )
    return _version_of(found["version"])


async def latest(of: AsyncManagedTransaction, graph_id: str) -> GraphVersion:
    """The version put last. Raises `NotFound`."""
    found = await versions(of, graph_id, 1)
    if not found:
        raise NotFound(
            f"There is no graph {graph_id}.",
            code="graph.not_found",
            hint="It is kept once a run has used it: see `pyagent runs`.",
        )
    return found[0]


async def versions(of: AsyncManagedTransaction, graph_id: str, limit: int) -> list[GraphVersion]:
    """The graph's versions, the one put last first."""
    found = await rows(of, _VERSIONS, graph=graph_id, limit=max(limit, 0))
    return [_version_of(one["version"]) for one in found]


def _version_of(found: Mapping[str, Any]) -> GraphVersion:
    text = found["text"]
    return GraphVersion(
        graph_id=found["graph_id"],
        hash=found["hash"],
        text=text if isinstance(text, str) else codec.decode(bytes(text)).decode(),
        created_at=moment(found["created_at"]),
    )


async def activate(
    to: AsyncManagedTransaction, graph_id: str, graph_hash: str, claims: Sequence[str], actor: str
) -> Activation:
    """Make a version the active one. Raises `NotFound` and `ClaimTaken`."""
    await get(to, graph_hash)
    # One at a time: two graphs must not take the same claim at once.
    await do(to, _CHANGED)
    for other in await listed(to):
        if other.graph_id != graph_id and (taken := sorted(set(claims) & set(other.claims))):
            raise ClaimTaken(
                f"The active graph {other.graph_id} has {taken[0]} already.",
                details={"graph": other.graph_id, "claims": taken},
            )
    made = await row(
        to,
        _ACTIVATE,
        graph=graph_id,
        hash=graph_hash,
        actor=actor,
        claims=list(claims),
        problems=codec.encode_json({}),
    )
    assert made is not None
    return _activation_of(made["active"])


async def deactivate(to: AsyncManagedTransaction, graph_id: str) -> bool:
    """Forget the activation; whether there was one."""
    await do(to, _CHANGED)
    query = "MATCH (a:Activation {graph_id: $graph}) DETACH DELETE a RETURN 1 AS gone"
    return await row(to, query, graph=graph_id) is not None


async def listed(of: AsyncManagedTransaction) -> list[Activation]:
    """What is active, by graph id."""
    return [_activation_of(found["active"]) for found in await rows(of, _ACTIVATIONS)]


def _activation_of(found: Mapping[str, Any]) -> Activation:
    return Activation(
        graph_id=found["graph_id"],
        graph_hash=found["graph_hash"],
        actor=found["actor"],
        at=moment(found["at"]),
        since=moment(found["since"]),
        claims=tuple(found["claims"]),
        problems=codec.decode_json(found["problems"]),
    )


async def set_problem(to: AsyncManagedTransaction, graph_id: str, node: str, problem: Mapping[str, Any] | None) -> None:
    """Keep or forget why a trigger does not work."""
    query = "MATCH (a:Activation {graph_id: $graph}) SET a.locked = true RETURN a.problems AS problems"
    found = await row(to, query, graph=graph_id)
    if found is None:
        return
    problems: dict[str, Any] = codec.decode_json(found["problems"])
    problems.pop(node, None)
    if problem is not None:
        problems[node] = problem
    query = "MATCH (a:Activation {graph_id: $graph}) SET a.problems = $problems"
    await do(to, query, graph=graph_id, problems=codec.encode_json(problems))
