"""`io.http`: requests, answers, pages, credentials."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import ValidationError

from pyagent.sdk import BlobRef, Item, NodeCancelled, NodeError, NotFound, Registry
from pyagent.sdk.params import lenient
from pyagent.testing import NodeRun, TestBlobs, TestCancelToken, run_node
from pyagent.testing.http_server import HttpReply, HttpServer
from pyagent_nodes.io.http import HttpParams, http
from sample_api import ORDERS, PEOPLE, PICTURE, sample_api


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    monkeypatch.setenv("PYAGENT_ALLOW_PRIVATE", "127.0.0.1")
    with sample_api() as server:
        yield server


@pytest.fixture
def other(api: HttpServer) -> Iterator[HttpServer]:
    """Another origin: the same host, another port."""
    with HttpServer() as server:
        yield server


async def ask(server: HttpServer, path: str, item: Any = None, /, **params: Any) -> NodeRun:
    options = {name: params.pop(name) for name in ("credentials", "blobs", "cancel", "on_error") if name in params}
    given = {("as" if name == "as_" else name): value for name, value in params.items()}
    return await run_node(http, [item if item is not None else {}], {"url": server.url + path, **given}, **options)


async def failure(server: HttpServer, path: str, **params: Any) -> NodeError:
    with pytest.raises(NodeError) as caught:
        await ask(server, path, **params)
    assert caught.value.hint
    return caught.value


def test_the_type_is_found_by_its_name_and_says_what_each_parameter_is() -> None:
    found = Registry({"io": "pyagent_nodes.io"}).get("io.http")
    assert found is not None
    for model in (
        found.params,
        *(part for part in vars(__import__(found.function.__module__, fromlist=["x"])).values()),
    ):
        if isinstance(model, type) and hasattr(model, "model_fields"):
            assert all(field.description for field in model.model_fields.values())
    assert found.schema()["properties"]["timeouts"]


@pytest.mark.parametrize(
    ("params", "effects"),
    [
        ({"method": "GET"}, "idempotent"),
        ({}, "idempotent"),
        ({"method": "PUT"}, "idempotent"),
        ({"method": "DELETE"}, "idempotent"),
        ({"method": "POST"}, "once"),
        ({"method": "PATCH"}, "once"),
        ({"method": "{{ $json.method }}"}, "once"),
        ({"method": "POST", "idempotency_header": "Idempotency-Key"}, "idempotent"),
    ],
)
def test_the_method_decides_whether_it_may_be_repeated(params: dict[str, Any], effects: str) -> None:
    assert http.effects_for(lenient(HttpParams, {"url": "http://x", **params})) == effects


@pytest.mark.parametrize(
    "params",
    [
        {"body": {}},
        {"body": {"json": 1, "text": "a"}},
        {"headers": {"Content-Length": "3"}},
        {"success": ["2x"]},
        {"success": ["999"]},
        {"split": "a", "full": True},
        {"split": "a", "as": "text"},
        {"paging": {"by": "cursor"}},
        {"paging": {"by": "page", "into": "body"}},
        {"paging": {"by": "link"}, "as": "binary"},
        {"method": "TRACE"},
    ],
)
def test_parameters_that_do_not_fit_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        http.validate_params({"url": "http://x", **params})


class TestAnswers:
    async def test_an_object_is_the_new_item(self, api: HttpServer) -> None:
        run = await ask(api, "/people/1", {"old": 1})
        assert run.json() == [PEOPLE[0]]
        assert run.sources() == [[0]]

    async def test_a_list_is_an_item_for_each_element(self, api: HttpServer) -> None:
        api.route("GET", "/mixed", [{"a": 1}, 2, None])
        assert (await ask(api, "/mixed")).json() == [{"a": 1}, {"value": 2}, {"value": None}]

    async def test_a_list_inside_is_split(self, api: HttpServer) -> None:
        run = await ask(api, "/people", {"x": 1}, split="people", into="person")
        assert run.json() == [{"x": 1, "person": person} for person in PEOPLE[:3]]

    async def test_the_answer_goes_into_a_field_of_the_item(self, api: HttpServer) -> None:
        api.route("GET", "/list", [1, 2])
        held = Item({"x": 1}, {"old": BlobRef("0" * 64, 1)})
        run = await ask(api, "/list", held, into="a.b")
        assert run.json() == [{"x": 1, "a": {"b": [1, 2]}}]
        assert run.outputs["out"][0].binary == held.binary

    async def test_text_is_content(self, api: HttpServer) -> None:
        assert (await ask(api, "/orders.csv")).json() == [{"content": ORDERS}]

    async def test_anything_else_is_a_blob(self, api: HttpServer) -> None:
        blobs = TestBlobs()
        run = await ask(api, "/picture.png", blobs=blobs, binary="picture")
        [item] = run.outputs["out"]
        assert item.json == {
            "url": f"{api.url}/picture.png", "status": 200, "name": "picture.png", "size": len(PICTURE),
            "media_type": "image/png",
        }  # fmt: skip
        assert item.binary is not None
        assert await blobs.get(item.binary["picture"]) == PICTURE
        assert item.binary["picture"].media_type == "image/png"

    async def test_a_large_body_goes_through_a_file_that_does_not_stay(self, api: HttpServer, tmp_path: Any) -> None:
        content = bytes(range(256)) * 16_384
        disposition = {"Content-Disposition": "attachment; filename*=UTF-8''..%2Fgr%C3%BC%C3%9Fe.bin"}
        api.route("GET", "/large", HttpReply(body=content, headers=disposition))
        blobs = TestBlobs()
        run = await run_node(http, [{}], {"url": api.url + "/large"}, blobs=blobs, work_dir=tmp_path)
        [item] = run.outputs["out"]
        assert item.json["name"] == "grüße.bin"
        assert item.binary is not None
        assert await blobs.get(item.binary["file"]) == content
        assert list(tmp_path.iterdir()) == []

    async def test_a_large_json_is_read_whole(self, api: HttpServer) -> None:
        rows = [{"id": number, "text": "x" * 100} for number in range(20_000)]
        api.route("GET", "/rows", rows)
        assert (await ask(api, "/rows")).json() == rows

    async def test_status_and_headers_are_given_if_asked_for(self, api: HttpServer) -> None:
        api.route("GET", "/made", HttpReply(status=404, body={"a": 1}, headers={"X-Y": "z"}))
        [json] = (await ask(api, "/made", full=True, success=["xxx"])).json()
        assert (json["status"], json["headers"]["x-y"], json["body"]) == (404, "z", {"a": 1})
        assert json["url"] == f"{api.url}/made"

    async def test_head_gives_the_headers(self, api: HttpServer) -> None:
        [json] = (await ask(api, "/people/1", method="HEAD")).json()
        assert json["headers"]["content-type"] == "application/json"
        assert json["body"] is None

    async def test_an_empty_answer_is_an_empty_item(self, api: HttpServer) -> None:
        api.route("DELETE", "/people/1", HttpReply(status=204))
        assert (await ask(api, "/people/1", method="DELETE")).json() == [{}]
        assert (await ask(api, "/people/1", method="DELETE", as_="json", into="x")).json() == [{"x": None}]

    @pytest.mark.parametrize(
        ("media_type", "body", "text"),
        [
            ("text/plain; charset=iso-8859-1", b"gr\xfc\xdfe", "grüße"),
            ('text/plain; charset="UTF-8"', "grüße".encode(), "grüße"),
            ("text/plain", "\ufeffgrüße".encode("utf-16"), "grüße"),
            ("text/plain; charset=latin-1", "\ufeffgrüße".encode(), "grüße"),
            ("text/html", '<meta charset="windows-1252">€'.encode("cp1252"), '<meta charset="windows-1252">€'),
            (
                "text/xml",
                b'<?xml version="1.0" encoding="iso-8859-1"?>\xfc',
                '<?xml version="1.0" encoding="iso-8859-1"?>ü',
            ),
        ],
    )
    async def test_text_is_read_in_the_encoding_that_it_says(
        self, api: HttpServer, media_type: str, body: bytes, text: str
    ) -> None:
        api.route("GET", "/text", HttpReply(body=body, headers={"Content-Type": media_type}))
        assert (await ask(api, "/text")).json() == [{"content": text}]

    async def test_the_encoding_may_be_given(self, api: HttpServer) -> None:
        api.route("GET", "/text", HttpReply(body=b"\x80", headers={"Content-Type": "text/plain; charset=utf-8"}))
        assert (await failure(api, "/text")).code == "node.http_encoding"
        assert (await ask(api, "/text", encoding="cp1252")).json() == [{"content": "€"}]
        for name in ("klingon", "undefined", "punycode", "hex"):
            assert (await failure(api, "/text", encoding=name)).code == "node.http_encoding"

    @pytest.mark.parametrize("body", ["", "{", "NaN", '"\\ud800"', "[" * 100_000, "<html>"])
    async def test_what_is_not_json_is_an_error_that_shows_its_beginning(self, api: HttpServer, body: str) -> None:
        api.route("GET", "/broken", HttpReply(body=body, headers={"Content-Type": "application/json"}))
        error = await failure(api, "/broken", as_="json")
        assert error.code == "node.http_content"
        assert body[:2] in error.message

    async def test_a_list_that_is_not_there_is_an_error(self, api: HttpServer) -> None:
        assert (await failure(api, "/people", split="nobody")).code == "node.http_content"
        assert (await failure(api, "/people", split="page")).code == "node.http_content"

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (400, "node.http_status"), (401, "node.http_denied"), (404, "node.http_missing"), (429, "node.http_busy"),
            (500, "node.http_server"), (503, "node.http_busy"), (304, "node.http_status"),
        ],
    )  # fmt: skip
    async def test_a_status_that_is_not_ok_is_an_error_with_what_the_server_said(
        self, api: HttpServer, status: int, code: str
    ) -> None:
        api.route("GET", "/failing", HttpReply(status=status, body="" if status == 304 else {"why": "because"}))
        error = await failure(api, "/failing?token=hidden")
        assert error.code == code
        assert error.details["status"] == status
        assert "hidden" not in str(error)
        assert status == 304 or "because" in error.message

    async def test_one_failing_item_does_not_fail_the_others(self, api: HttpServer) -> None:
        run = await run_node(
            http,
            [{"id": 1}, {"id": 99}, {"id": 2}],
            lambda json, index: {"url": f"{api.url}/people/{json['id']}"},
            on_error="route",
        )
        assert run.json("out") == PEOPLE[:2]
        assert run.json("error")[0]["error"]["code"] == "node.http_missing"


class TestRequests:
    async def echo(self, api: HttpServer, item: Any = None, **params: Any) -> dict[str, Any]:
        [json] = (await ask(api, "/echo", item, **params)).json()
        return json

    async def test_the_query_is_added_to_the_address(self, api: HttpServer) -> None:
        run = await ask(api, "/echo?a=1", query={"b": "ü &", "c": [1, True], "d": None})
        assert run.json()[0]["query"] == {"a": "1", "b": "ü &", "c": "true"}
        assert api.requests[0].pairs == (("a", "1"), ("b", "ü &"), ("c", "1"), ("c", "true"))

    async def test_json_is_sent(self, api: HttpServer) -> None:
        said = await self.echo(api, method="POST", body={"json": {"a": "ü"}})
        assert said["body"] == '{"a":"ü"}'
        assert said["headers"]["content-type"] == "application/json"

    async def test_a_form_is_sent(self, api: HttpServer) -> None:
        run = await ask(api, "/submit", method="POST", body={"form": {"a": "ü&", "b": 2, "c": None}})
        assert run.json() == [{"received": {"a": "ü&", "b": "2"}}]

    async def test_text_is_sent_with_its_media_type(self, api: HttpServer) -> None:
        said = await self.echo(api, method="PUT", body={"text": "a;b", "media_type": "text/csv"})
        assert (said["body"], said["headers"]["content-type"]) == ("a;b", "text/csv")

    async def test_fields_and_files_of_a_form_are_sent(self, api: HttpServer) -> None:
        blobs = TestBlobs()
        ref = await blobs.put(b"content", name="a.txt", media_type="text/x-a")
        item = Item({}, {"doc": ref})
        body = {"multipart": {"title": "ü", "yes": True, "file": {"binary": "doc"}}}
        said = await self.echo(api, item, method="POST", body=body, blobs=blobs)
        assert said["headers"]["content-type"].startswith("multipart/form-data; boundary=")
        for part in ('name="title"\r\n\r\nü\r\n', "\r\ntrue\r\n", 'filename="a.txt"\r\nContent-Type: text/x-a'):
            assert part in said["body"]
        assert (
            "multipart"
            in (await self.echo(api, method="POST", body={"multipart": {"a": 1}}))["headers"]["content-type"]
        )

    async def test_a_binary_is_streamed(self, api: HttpServer) -> None:
        blobs = TestBlobs()
        ref = await blobs.put(b"x" * 3_000_000, media_type="application/pdf")
        said = await self.echo(api, Item({}, {"pdf": ref}), method="PUT", body={"binary": "pdf"}, blobs=blobs)
        assert said["headers"]["content-length"] == "3000000"
        assert said["headers"]["content-type"] == "application/pdf"
        assert api.requests[0].body == b"x" * 3_000_000
        assert (await failure(api, "/echo", method="PUT", body={"binary": "no"})).code == "node.binary_missing"

    async def test_the_key_against_doing_it_twice_is_the_same_for_every_try(self, api: HttpServer) -> None:
        said = await self.echo(api, method="POST", idempotency_header="Idempotency-Key")
        assert said["headers"]["idempotency-key"] == "run/node:0"

    @pytest.mark.parametrize(
        "url", ["ftp://x/", "nowhere", "http://", "http://user:secret@host/", "http://[::1", "file:///etc/passwd", " "]
    )
    async def test_an_address_that_cannot_be_asked_is_refused_and_no_login_shown(self, url: str) -> None:
        with pytest.raises(NodeError) as caught:
            await run_node(http, [{}], {"url": url})
        assert caught.value.code == "node.http_url"
        assert "secret" not in str(caught.value)

    async def test_a_header_that_breaks_the_line_is_refused(self, api: HttpServer) -> None:
        assert (await failure(api, "/echo", headers={"X": "a\r\nY: b"})).code == "node.http_request"
        assert (await failure(api, "/echo", headers={"X": "€"})).code == "node.http_request"

    async def test_no_connection_is_an_error(self, api: HttpServer) -> None:
        with pytest.raises(NodeError) as caught:
            await run_node(http, [{}], {"url": "http://127.0.0.1:1/"})
        assert caught.value.code == "node.http_connect"

    async def test_the_inside_is_closed_unless_the_setting_opens_it(
        self, api: HttpServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("PYAGENT_ALLOW_PRIVATE")
        assert (await failure(api, "/echo")).code == "node.address_blocked"
        assert api.requests == []


class TestCredentials:
    SECRET = "s3cret-tö/ken"

    async def test_a_token_a_login_a_header_and_a_parameter_are_sent(self, api: HttpServer) -> None:
        credentials = {
            "token": {"token": "t0ken"},
            "login": {"user": "ada", "password": "pass"},
            "key": {"name": "X-Key", "value": "k"},
        }

        async def said(**auth: Any) -> dict[str, Any]:
            [json] = (await ask(api, "/echo?a=1", auth=auth, credentials=credentials)).json()
            return json

        assert (await said(credential="token"))["headers"]["authorization"] == "Bearer t0ken"
        basic = await said(**{"credential": "login", "as": "basic"})
        assert basic["headers"]["authorization"] == "Basic YWRhOnBhc3M="
        assert (await said(**{"credential": "key", "as": "header"}))["headers"]["x-key"] == "k"
        assert (await said(**{"credential": "key", "as": "query", "name": "key"}))["query"] == {"a": "1", "key": "k"}

    async def test_a_credential_that_is_missing_or_does_not_fit_is_an_error(self, api: HttpServer) -> None:
        with pytest.raises(NotFound):
            await ask(api, "/echo", auth={"credential": "none"})
        credentials = {"c": {"password": "x"}, "d": {"token": "t", "hosts": "api.example.org, *.example.net"}}
        error = await failure(api, "/echo", auth={"credential": "c"}, credentials=credentials)
        assert error.code == "node.http_credential"
        error = await failure(api, "/echo", auth={"credential": "d"}, credentials=credentials)
        assert error.code == "node.http_credential"
        assert api.requests == []

    async def test_a_secret_is_in_no_item_error_or_log(self, api: HttpServer) -> None:
        credentials = {"key": {"name": "key", "value": self.SECRET}}
        auth = {"credential": "key", "as": "query"}
        api.route(
            "GET",
            "/back",
            lambda request: HttpReply(status=302, headers={"Location": f"/away?k={request.query['key']}"}),
        )
        api.route("GET", "/away", HttpReply(headers={"X-Echo": "k=s3cret-t%C3%B6%2Fken"}, body={"a": 1}))
        api.route("GET", "/no", lambda request: HttpReply(status=400, body=f"bad key {request.query['key']}"))
        run = await ask(api, "/back", auth=auth, full=True, credentials=credentials)
        error = await failure(api, "/no", auth=auth, credentials=credentials)
        told = json.dumps([run.json(), run.logs, error.as_dict()], ensure_ascii=False)
        for form in (self.SECRET, "s3cret-t%C3%B6%2Fken", "s3cret"):
            assert form not in told

    async def test_another_origin_gets_neither_credential_nor_cookie(self, api: HttpServer, other: HttpServer) -> None:
        other.route("GET", "/there", lambda request: dict(request.headers) | {"query": dict(request.query)})
        api.route("GET", "/leave", HttpReply(status=307, headers={"Location": f"{other.url}/there"}))
        api.route("GET", "/stay", HttpReply(status=307, headers={"Location": "/echo"}))
        params: dict[str, Any] = {
            "auth": {"credential": "c", "as": "header"},
            "headers": {"Cookie": "a=b", "X-Own": "1"},
            "credentials": {"c": {"name": "X-Key", "value": "k"}},
        }
        [there] = (await ask(api, "/leave", **params)).json()
        assert not {"x-key", "cookie", "authorization"} & set(there)
        assert there["x-own"] == "1"
        [here] = (await ask(api, "/stay", **params)).json()
        assert here["headers"]["x-key"] == "k"
        assert here["headers"]["cookie"] == "a=b"


class TestRedirects:
    @pytest.mark.parametrize(
        ("status", "method", "then"),
        [(301, "POST", "GET"), (302, "POST", "GET"), (303, "PUT", "GET"), (307, "POST", "POST"), (308, "PUT", "PUT")],
    )
    async def test_a_redirect_is_followed_as_its_status_says(
        self, api: HttpServer, status: int, method: str, then: str
    ) -> None:
        api.route(method, "/from", HttpReply(status=status, headers={"Location": "echo?x=1"}))
        [said] = (await ask(api, "/from", method=method, body={"text": "body"})).json()
        assert (said["method"], said["query"]) == (then, {"x": "1"})
        assert said["body"] == ("body" if then != "GET" else "")

    async def test_a_circle_ends(self, api: HttpServer) -> None:
        api.route("GET", "/circle", HttpReply(status=302, headers={"Location": "/circle"}))
        assert (await failure(api, "/circle", redirects=3)).code == "node.http_redirect"
        assert len(api.requests) == 4

    async def test_a_redirect_may_be_taken_as_the_answer(self, api: HttpServer) -> None:
        api.route("GET", "/from", HttpReply(status=302, headers={"Location": "/x"}))
        [said] = (await ask(api, "/from", redirects=0, success=["302"], full=True)).json()
        assert said["headers"]["location"] == "/x"
        assert (await failure(api, "/from", redirects=0)).code == "node.http_status"

    @pytest.mark.parametrize(
        ("location", "code"),
        [
            ("http://169.254.169.254/latest", "node.address_blocked"),
            ("http://[::1]/", "node.address_blocked"),
            ("http://2130706434/", "node.address_blocked"),
            ("http://0177.0.0.2/", "node.http_redirect"),
            ("file:///etc/passwd", "node.http_redirect"),
            ("http://", "node.http_redirect"),
            ("http://a:b@127.0.0.1/", "node.http_url"),
        ],
    )
    async def test_a_redirect_to_the_inside_or_to_no_web_address_is_refused(
        self, api: HttpServer, location: str, code: str
    ) -> None:
        api.route("GET", "/from", HttpReply(status=302, headers={"Location": location}))
        assert (await failure(api, "/from")).code == code


class TestBusy:
    async def test_the_node_waits_as_long_as_the_server_says(self, api: HttpServer) -> None:
        run = await ask(api, "/busy")
        assert run.json() == [{"free": True}]
        assert run.logs[0]["status"] == 429

    async def test_a_date_is_understood(self, api: HttpServer) -> None:
        past = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
        busy = HttpReply(status=503, headers={"Retry-After": past})
        api.route("GET", "/busy", lambda request: busy if len(api.requests) == 1 else {"a": 1})
        assert (await ask(api, "/busy")).json() == [{"a": 1}]

    @pytest.mark.parametrize("retry_after", ["3600", "99999999999999999999", "soon", "", None])
    async def test_a_wait_that_is_too_long_or_not_told_is_an_error_of_its_own(
        self, api: HttpServer, retry_after: str | None
    ) -> None:
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        api.route("GET", "/busy", HttpReply(status=429, headers=headers))
        error = await failure(api, "/busy")
        assert error.code == "node.http_busy"
        assert error.details.get("retry_after") == (float(retry_after[:9]) if (retry_after or "").isdigit() else None)

    async def test_a_server_that_is_busy_for_ever_is_left_in_the_end(self, api: HttpServer) -> None:
        api.route("GET", "/busy", HttpReply(status=429, headers={"Retry-After": "1"}))
        assert (await failure(api, "/busy", retry_after="0s")).code == "node.http_busy"
        api.route("GET", "/busy", HttpReply(status=429, headers={"Retry-After": "0"}))
        assert (await failure(api, "/busy", retry_after="900ms")).code == "node.http_busy"
        assert len(api.requests) == 3

    async def test_waiting_ends_when_the_step_is_cancelled(self, api: HttpServer) -> None:
        api.route("GET", "/busy", HttpReply(status=429, headers={"Retry-After": "30"}))
        cancel = TestCancelToken()
        running = asyncio.create_task(ask(api, "/busy", cancel=cancel))
        assert await asyncio.to_thread(api.wait, "/busy")
        cancel.trigger()
        with pytest.raises(NodeCancelled):
            await asyncio.wait_for(running, 1)


class TestPages:
    @pytest.mark.parametrize(
        ("path", "params"),
        [
            ("/people", {"split": "people", "paging": {"by": "page"}}),
            ("/people", {"split": "people", "paging": {"by": "page", "size": 3}}),
            ("/people/by-offset", {"paging": {"by": "offset"}}),
            ("/people/by-cursor", {"split": "people", "paging": {"by": "cursor", "path": "next"}}),
            ("/people/by-link", {"paging": {"by": "link"}}),
        ],
    )
    async def test_all_pages_become_items(self, api: HttpServer, path: str, params: dict[str, Any]) -> None:
        run = await ask(api, path, **params)
        assert run.json() == PEOPLE
        assert run.sources() == [[0]] * len(PEOPLE)
        assert len(api.requests) in (3, 4)

    async def test_the_next_address_may_stand_in_the_body(self, api: HttpServer) -> None:
        api.route("GET", "/a", {"rows": [{"n": 1}], "links": {"next": "/b?x=1"}})
        api.route("GET", "/b", {"rows": [{"n": 2}], "links": {"next": None}})
        assert (await ask(api, "/a", split="rows", paging={"by": "next_url", "path": "links.next"})).json() == [
            {"n": 1}, {"n": 2},
        ]  # fmt: skip

    async def test_the_cursor_may_go_into_the_body(self, api: HttpServer) -> None:
        api.route(
            "POST",
            "/search",
            lambda request: {"rows": [request.json()], "next": None if "after" in request.json()["page"] else 5},
        )
        run = await ask(
            api, "/search", method="POST", split="rows", body={"json": {"q": "x", "page": {"size": 1}}},
            paging={"by": "cursor", "path": "next", "into": "body", "name": "page.after"},
        )  # fmt: skip
        assert run.json() == [{"q": "x", "page": {"size": 1}}, {"q": "x", "page": {"size": 1, "after": 5}}]

    async def test_a_field_may_say_whether_there_is_more(self, api: HttpServer) -> None:
        api.route("GET", "/x", lambda request: {"page": int(request.query["p"]), "more": request.query["p"] == "0"})
        run = await ask(api, "/x", paging={"by": "page", "name": "p", "start": 0, "more": "more"})
        assert [json["page"] for json in run.json()] == [0, 1]

    async def test_a_page_that_repeats_is_the_end(self, api: HttpServer) -> None:
        api.route("GET", "/same", [{"a": 1}])
        run = await ask(api, "/same", paging={"by": "page"})
        assert run.json() == [{"a": 1}]
        assert run.logs[-1]["level"] == "warning"
        assert len(api.requests) == 2

    async def test_a_circle_of_links_is_the_end(self, api: HttpServer) -> None:
        for here, there in (("/a", "/b"), ("/b", "/a")):
            api.route("GET", here, HttpReply(body=[{"at": here}], headers={"Link": f"<{there}>; rel=next"}))
        run = await ask(api, "/a", paging={"by": "link"})
        assert run.json() == [{"at": "/a"}, {"at": "/b"}]
        assert run.logs[-1]["level"] == "warning"

    async def test_pages_without_end_are_an_error_unless_the_rest_is_not_wanted(self, api: HttpServer) -> None:
        api.route("GET", "/endless", lambda request: [{"page": request.query["page"]}])
        paging = {"by": "page", "max_pages": 3}
        assert (await failure(api, "/endless", paging=paging)).code == "node.http_pages"
        run = await ask(api, "/endless", paging={**paging, "beyond": "stop"})
        assert [json["page"] for json in run.json()] == ["1", "2", "3"]
        small = {**paging, "max_size": 20}
        assert (await failure(api, "/endless", paging=small)).code == "node.http_pages"

    async def test_pages_of_what_is_no_list_are_an_error(self, api: HttpServer) -> None:
        assert (await failure(api, "/people", paging={"by": "page"})).code == "node.http_pages"
        assert (await failure(api, "/people", paging={"by": "cursor", "path": "people"})).code == "node.http_pages"

    async def test_the_next_page_of_another_origin_gets_no_credential(self, api: HttpServer, other: HttpServer) -> None:
        other.route("GET", "/next", lambda request: [{"authorization": request.headers.get("authorization")}])
        api.route("GET", "/first", HttpReply(body=[], headers={"Link": f"<{other.url}/next>; rel=next"}))
        api.route("GET", "/first", HttpReply(body=[{}], headers={"Link": f"<{other.url}/next>; rel=next"}))
        run = await ask(
            api, "/first", auth={"credential": "c"}, credentials={"c": {"token": "token"}}, paging={"by": "link"}
        )
        assert run.json()[-1] == {"authorization": None}

    async def test_the_next_page_of_the_inside_is_refused(self, api: HttpServer) -> None:
        api.route("GET", "/first", HttpReply(body=[{}], headers={"Link": "<http://10.0.0.1/>; rel=next"}))
        assert (await failure(api, "/first", paging={"by": "link"})).code == "node.address_blocked"
