"""Public fakes and conformance suites, for those who write nodes, stores and embeddings.

The suites need pytest and are imported by their modules: `pyagent.testing.store`.
"""

from pyagent.testing.advisory_server import AdvisoryServer
from pyagent.testing.faulty_store import FaultyStore
from pyagent.testing.http_server import HttpReply, HttpRequest, HttpServer
from pyagent.testing.memory_store import MemoryStore
from pyagent.testing.node_cases import CaseRecorder, NodeCase
from pyagent.testing.node_conformance import NodeProblem, declared_problems, node_problems
from pyagent.testing.node_examples import NodeExample, run_example
from pyagent.testing.nodes import NodeRun, TestBlobs, TestCancelToken, TestContext, run_node

__all__ = [
    "AdvisoryServer",
    "CaseRecorder",
    "FaultyStore",
    "HttpReply",
    "HttpRequest",
    "HttpServer",
    "MemoryStore",
    "NodeCase",
    "NodeExample",
    "NodeProblem",
    "NodeRun",
    "TestBlobs",
    "TestCancelToken",
    "TestContext",
    "declared_problems",
    "node_problems",
    "run_example",
    "run_node",
]
