"""The store on Neo4j: graphs, versions, runs, steps, events and blobs as a property graph that Cypher can ask."""

from pyagent.store.neo4j.store import Neo4jStore

__all__ = ["Neo4jStore"]
