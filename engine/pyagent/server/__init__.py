"""The server: API, events and the page, for one user on loopback. `pyagent.server.serving.PageServer` runs it."""

PORT = 8642
"""The port of the page, where nothing else is said."""
SNAPSHOT_TYPE = "application/vnd.pyagent.metrics"
"""The content type of the server's metrics in bytes, as `pyagent top` asks for them; such can be merged."""
