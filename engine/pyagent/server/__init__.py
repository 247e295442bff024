"""The server: API, events and the page, for one user on loopback. `pyagent.server.serving.PageServer` runs it."""
