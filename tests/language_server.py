"""A client of yaml-language-server, as an editor is one: opens a text and asks for completions, hovers, errors."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, cast

VERSION = "1.25.0"


class LanguageServer:
    """The server as a process; speaks JSON-RPC over its standard streams."""

    def __init__(self, program: Path, schema: Path, text: str) -> None:
        self.schema = schema
        self.text = text
        self.uri = schema.parent.with_name("graph.yaml").as_uri()
        self.number = 0
        self.configured = False
        self.diagnostics: list[dict[str, Any]] | None = None
        self.process = subprocess.Popen(
            ["node", str(program), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> LanguageServer:
        self.request(
            "initialize",
            {
                "processId": None,
                "rootUri": None,
                "capabilities": {
                    "workspace": {"configuration": True},
                    "textDocument": {"completion": {"completionItem": {"documentationFormat": ["markdown"]}}},
                },
            },
        )
        self.notify("initialized", {})
        self.notify("workspace/didChangeConfiguration", {"settings": {"yaml": self.settings}})
        # what is asked before the server has read its settings is answered without a schema
        while not self.configured:
            self._receive()
        document = {"uri": self.uri, "languageId": "yaml", "version": 1, "text": self.text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "schemas": {self.schema.as_uri(): ["graph.yaml"]},
            "completion": True,
            "hover": True,
            "validate": True,
            "schemaStore": {"enable": False},
        }

    def request(self, method: str, params: dict[str, Any]) -> Any:
        """The result of a call; what the server asks for meanwhile is answered."""
        self.number += 1
        self._send({"id": self.number, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == self.number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def notify(self, method: str, params: dict[str, Any]) -> None:
        self._send({"method": method, "params": params})

    def at(self, mark: str) -> dict[str, Any]:
        """The position behind the first place where `mark` stands in the text."""
        before = self.text[: self.text.index(mark) + len(mark)]
        position = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        return {"textDocument": {"uri": self.uri}, "position": position}

    def completions(self, mark: str) -> dict[str, str]:
        """What is offered behind `mark`: label and what is said about it."""
        found = self.request("textDocument/completion", self.at(mark))
        items = cast("list[dict[str, Any]]", found["items"] if isinstance(found, dict) else found or [])
        return {str(item["label"]): str(item.get("documentation", "")) for item in items}

    def hover(self, mark: str) -> str:
        """What is said of the word that ends behind `mark`."""
        position = self.at(mark)
        position["position"]["character"] -= 1
        found = self.request("textDocument/hover", position)
        return json.dumps(found, ensure_ascii=False) if found else ""

    def errors(self) -> list[str]:
        """What is wrong with the text."""
        while self.diagnostics is None:
            self._receive()
        return [found["message"] for found in self.diagnostics]

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        self.process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the language server ended"
        message = json.loads(self.process.stdout.read(length))
        if "method" in message and "id" in message:
            asked = message.get("params", {}).get("items", [])
            answer = [self.settings if item.get("section") == "yaml" else None for item in asked]
            self._send({"id": message["id"], "result": answer or None})
            self.configured = self.configured or any(answer)
        if message.get("method") == "textDocument/publishDiagnostics":
            self.diagnostics = message["params"]["diagnostics"]
        return message
