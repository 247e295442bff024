"""Public fakes and conformance suites, for those who write nodes, stores and embeddings.

The suites need pytest and are imported by their modules: `pyagent.testing.store`.
"""

from pyagent.testing.memory_store import MemoryStore
from pyagent.testing.nodes import NodeRun, TestBlobs, TestCancelToken, TestContext, run_node

__all__ = ["MemoryStore", "NodeRun", "TestBlobs", "TestCancelToken", "TestContext", "run_node"]
