"""A sample web service for examples and tests: people in pages, orders as CSV, a picture, a form, a busy moment."""

from __future__ import annotations

import base64
from typing import Any

from pyagent.testing.http_server import HttpReply, HttpRequest, HttpServer

PEOPLE: list[dict[str, Any]] = [
    {"id": number, "name": name, "mail": f"{name.lower()}@example.org", "city": city}
    for number, (name, city) in enumerate(
        [("Ada", "London"), ("Grace", "New York"), ("Edsger", "Rotterdam"), ("Barbara", "Boston"),
         ("Linus", "Helsinki"), ("Margaret", "Boston"), ("Alan", "London")],
        start=1,
    )
]  # fmt: skip
ORDERS = "id,person,total\n1,1,12.50\n2,3,99.00\n3,1,7.25\n"
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SIZE = 3
"""People on a page."""


def sample_api() -> HttpServer:
    """The service, not started yet.

    `/people` (by `page`), `/people/by-offset`, `/people/by-cursor`, `/people/by-link`, `/people/{id}`, `/orders.csv`,
    `/picture.png`, `/echo`, `/submit` (POST, a form), `/busy` (429 at first).
    """
    server = HttpServer()
    server.route("GET", "/people", _by_page)
    server.route("GET", "/people/{id}", _person)
    server.route("GET", "/people/by-offset", _by_offset)
    server.route("GET", "/people/by-cursor", _by_cursor)
    server.route("GET", "/people/by-link", lambda request: _by_link(request, server.url))
    server.route("GET", "/orders.csv", HttpReply(body=ORDERS, headers={"Content-Type": "text/csv; charset=utf-8"}))
    server.route("GET", "/picture.png", HttpReply(body=PICTURE, headers={"Content-Type": "image/png"}))
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        server.route(method, "/echo", _echo)
    server.route("POST", "/submit", lambda request: {"received": request.form()})
    server.route("GET", "/busy", lambda request: _busy(request, server))
    return server


def _by_page(request: HttpRequest) -> Any:
    page = int(request.query.get("page", "1"))
    rows = PEOPLE[(page - 1) * SIZE : page * SIZE]
    return {"people": rows, "page": page, "pages": -(-len(PEOPLE) // SIZE)}


def _by_offset(request: HttpRequest) -> Any:
    offset = int(request.query.get("offset", "0"))
    return PEOPLE[offset : offset + SIZE]


def _by_cursor(request: HttpRequest) -> Any:
    start = int(request.query.get("cursor", "0"))
    following = start + SIZE
    return {"people": PEOPLE[start:following], "next": str(following) if following < len(PEOPLE) else None}


def _by_link(request: HttpRequest, url: str) -> HttpReply:
    page = int(request.query.get("page", "1"))
    links = [f'<{url}/people/by-link?page=1>; rel="first"']
    if page * SIZE < len(PEOPLE):
        links.append(f'<?page={page + 1}>; title="a, b"; rel="next"')
    return HttpReply(body=PEOPLE[(page - 1) * SIZE : page * SIZE], headers={"Link": ", ".join(links)})


def _person(request: HttpRequest) -> Any:
    for person in PEOPLE:
        if str(person["id"]) == request.parts["id"]:
            return person
    return HttpReply(status=404, body={"error": "there is no such person"})


def _echo(request: HttpRequest) -> Any:
    return {
        "method": request.method,
        "query": dict(request.query),
        "headers": dict(request.headers),
        "body": request.body.decode("utf-8", "replace"),
    }


def _busy(request: HttpRequest, server: HttpServer) -> Any:
    if len(server.asked(request.path)) == 1:
        return HttpReply(status=429, headers={"Retry-After": "0"}, body={"error": "slow down"})
    return {"free": True}
