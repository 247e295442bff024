"""A service for security advisories on loopback, with OSV's API: it knows what the test plants, and can misbehave."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, TypeAlias

from pyagent.testing.http_server import HttpReply, HttpRequest, HttpServer, Route

Behaviour: TypeAlias = Literal["honest", "down", "silent", "broken", "forgetful", "swapped"]
"""`down` answers 503, `silent` never, `broken` with what is not JSON, `forgetful` fewer questions than it was asked,
`swapped` another advisory than the one asked for."""


class AdvisoryServer:
    """A server on 127.0.0.1 that runs while the `with` block does.

        with AdvisoryServer() as server:
            server.plant("GHSA-0000-0000-0001", "itsdangerous", fixed="9.0")
            run = await engine.run(graph, {"advisories": server.url})

    `url` is a service (`POST /v1/querybatch`, `POST /v1/query`, `GET /v1/vulns/{id}`), `document` the address of all
    its advisories as one JSON list. Nodes reach it if the setting PYAGENT_ALLOW_PRIVATE names 127.0.0.1.
    """

    def __init__(self, *, page: int = 1000) -> None:
        """`page`: advisories that are named in one answer to a question."""
        self.behaviour: Behaviour = "honest"
        self._page = page
        self._advisories: dict[str, dict[str, Any]] = {}
        self._stopped = threading.Event()
        self.http = HttpServer()
        """The server under it; `http.requests` are those that came."""
        self.http.route("GET", "/advisories.json", self._guarded(self._all))
        self.http.route("POST", "/v1/query", self._guarded(self._query))
        self.http.route("POST", "/v1/querybatch", self._guarded(self._batch))
        self.http.route("GET", "/v1/vulns/{id}", self._guarded(self._vulnerability))

    @property
    def url(self) -> str:
        """The service's address."""
        return self.http.url

    @property
    def document(self) -> str:
        """The address of all advisories as one JSON document."""
        return f"{self.http.url}/advisories.json"

    def plant(
        self,
        id: str,
        package: str,
        *,
        introduced: str = "0",
        fixed: str | None = None,
        versions: Sequence[str] = (),
        severity: str = "HIGH",
        summary: str = "planted",
    ) -> None:
        """Add an advisory for a package of PyPI: from `introduced` until, without it, `fixed`, or for `versions`."""
        events = [{"introduced": introduced}, *([{"fixed": fixed}] if fixed else [])]
        affected: dict[str, Any] = {"package": {"ecosystem": "PyPI", "name": package}}
        affected |= {"versions": list(versions)} if versions else {"ranges": [{"type": "ECOSYSTEM", "events": events}]}
        self._advisories[id] = {
            "id": id,
            "modified": "2026-01-02T03:04:05Z",
            "summary": summary,
            "affected": [affected],
            "database_specific": {"severity": severity},
            "references": [{"type": "WEB", "url": f"https://advisories.invalid/{id}"}],
        }

    def __enter__(self) -> Self:
        self.http.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stopped.set()
        self.http.__exit__(*raised)

    def _guarded(self, answer: Route) -> Route:
        def route(request: HttpRequest) -> Any:
            match self.behaviour:
                case "down":
                    return HttpReply(status=503, body="down for maintenance")
                case "silent":
                    self._stopped.wait()
                    return HttpReply(status=503)
                case "broken":
                    return HttpReply(body="<html>no JSON", headers={"Content-Type": "application/json"})
                case _:
                    return answer(request)

        return route

    def _all(self, request: HttpRequest) -> Any:
        return list(self._advisories.values())

    def _query(self, request: HttpRequest) -> Any:
        return self._answer(request.json())

    def _batch(self, request: HttpRequest) -> Any:
        answers = [self._answer(query) for query in request.json()["queries"]]
        return {"results": answers[:-1] if self.behaviour == "forgetful" else answers}

    def _answer(self, query: Mapping[str, Any]) -> dict[str, Any]:
        name, version = query["package"]["name"], query["version"]
        found = [
            {"id": advisory["id"], "modified": advisory["modified"]}
            for advisory in self._advisories.values()
            if _names(advisory["affected"][0], name, version)
        ]
        start = int(query.get("page_token") or 0)
        answer: dict[str, Any] = {"vulns": found[start : start + self._page]} if found else {}
        if start + self._page < len(found):
            answer["next_page_token"] = str(start + self._page)
        return answer

    def _vulnerability(self, request: HttpRequest) -> Any:
        found = self._advisories.get(request.parts["id"])
        if found is None:
            return HttpReply(status=404, body={"code": 5, "message": "Bug not found."})
        return {**found, "id": "GHSA-other"} if self.behaviour == "swapped" else found


def _names(affected: Mapping[str, Any], name: str, version: str) -> bool:
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    if canonicalize_name(affected["package"]["name"]) != canonicalize_name(name):
        return False
    if "versions" in affected:
        return version in affected["versions"]
    events: dict[str, str] = {}
    for event in affected["ranges"][0]["events"]:
        events |= event
    ours = Version(version)
    if events["introduced"] != "0" and ours < Version(events["introduced"]):
        return False
    return "fixed" not in events or ours < Version(events["fixed"])


__all__ = ["AdvisoryServer", "Behaviour"]
