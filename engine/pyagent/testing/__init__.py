"""Public fakes and conformance suites, for those who write nodes, stores and embeddings."""

from pyagent.testing.nodes import NodeRun, TestBlobs, TestCancelToken, TestContext, run_node

__all__ = ["NodeRun", "TestBlobs", "TestCancelToken", "TestContext", "run_node"]
