"""Where advisories come from: a file, a document behind an address, or a service with OSV's API (https://osv.dev)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from pyagent.sdk import Context
from pyagent.sdk.http_client import http_client, read_within
from pyagent_nodes.pipeline.advisories import NotAdvisories, records_of

_BIGGEST = 64 << 20
"""Bytes of one document or answer."""
_AT_ONCE = 500
"""Packages in one question; OSV takes 1,000."""
_MOST = 5_000
"""Advisories fetched one by one."""
_MOST_PAGES = 50
_PARALLEL = 8


def is_service(where: str) -> bool:
    """Whether it is the address of a service that is asked, `https://api.osv.dev` or ending in `/v1`."""
    if not where.startswith(("http://", "https://")):
        return False
    path = urlsplit(where).path.rstrip("/")
    return not path or path.endswith("/v1")


async def read_advisories(
    where: str, installed: Mapping[str, str], *, timeout: float, ctx: Context
) -> Sequence[Mapping[str, Any]]:
    """The advisories that may apply to what is installed (version by package), from a service only those.

    Raises httpx's errors, `OSError`, `TimeoutError` after `timeout` seconds, `AddressBlocked`, `HostUnknown`,
    `BodyTooLarge`, and `NotAdvisories` (a `ValueError`, as json's) for what is no such answer.
    """
    if not where.startswith(("http://", "https://")):
        return records_of(json.loads(await asyncio.to_thread(Path(where).expanduser().read_bytes)))
    reading = asyncio.create_task(asyncio.wait_for(_read(where, installed, timeout, ctx), timeout))
    asked = asyncio.create_task(ctx.cancel.wait())
    try:
        await asyncio.wait({reading, asked}, return_when=asyncio.FIRST_COMPLETED)
        ctx.cancel.check()
        return await reading
    finally:
        reading.cancel()
        asked.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _read(where: str, installed: Mapping[str, str], timeout: float, ctx: Context) -> Sequence[Mapping[str, Any]]:
    async with http_client(timeout=min(timeout, 30)) as client:
        if is_service(where):
            return await _Service(client, where, ctx).advisories(installed)
        return records_of(await _json(client, "GET", where))


async def _json(client: httpx.AsyncClient, method: str, address: str, body: Any = None) -> Any:
    content = bytearray()
    async with client.stream(method, address, json=body, follow_redirects=body is None) as response:
        response.raise_for_status()
        async for piece in read_within(response, _BIGGEST):
            content += piece
    return json.loads(content)


class _Service:
    """A service with OSV's API: it is asked which advisories name a package, then for each of them."""

    def __init__(self, client: httpx.AsyncClient, where: str, ctx: Context) -> None:
        self._client = client
        self._base = where.rstrip("/").removesuffix("/v1") + "/v1"
        self._ctx = ctx

    async def advisories(self, installed: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        questions = [
            {"package": {"name": name, "ecosystem": "PyPI"}, "version": version} for name, version in installed.items()
        ]
        named: dict[str, None] = {}
        for _ in range(_MOST_PAGES):
            following: list[dict[str, Any]] = []
            for start in range(0, len(questions), _AT_ONCE):
                following += await self._ask(questions[start : start + _AT_ONCE], named)
            if len(named) > _MOST:
                raise NotAdvisories(f"it names more than {_MOST} advisories")
            if not following:
                return await self._fetch(list(named))
            questions = following
        raise NotAdvisories(f"its answers do not end within {_MOST_PAGES} pages")

    async def _ask(self, questions: list[dict[str, Any]], named: dict[str, None]) -> list[dict[str, Any]]:
        """Note the advisories that are named; the questions for which there is more."""
        found = await _json(self._client, "POST", f"{self._base}/querybatch", {"queries": questions})
        results = found.get("results") if isinstance(found, dict) else None
        if not isinstance(results, list) or len(results) != len(questions):
            answered = len(results) if isinstance(results, list) else "none"
            raise NotAdvisories(f"of {len(questions)} questions it answers {answered}")
        following: list[dict[str, Any]] = []
        for question, result in zip(questions, results, strict=True):
            # What nothing is known of is an empty object.
            result = result or {}
            vulnerabilities = (result.get("vulns") or []) if isinstance(result, dict) else None
            if not isinstance(vulnerabilities, list) or not all(
                isinstance(one, dict) and isinstance(one.get("id"), str) for one in vulnerabilities
            ):
                raise NotAdvisories("an answer names advisories without an `id`")
            named.update(dict.fromkeys(one["id"] for one in vulnerabilities))
            if token := result.get("next_page_token"):
                following.append({**question, "page_token": token})
        return following

    async def _fetch(self, names: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        records: dict[str, Mapping[str, Any]] = {}
        queue = iter(names)

        async def work() -> None:
            for name in queue:
                [record] = records_of(await _json(self._client, "GET", f"{self._base}/vulns/{quote(name, safe='')}"))
                if record["id"] != name:
                    raise NotAdvisories(f"asked for {name[:60]} it sends {str(record['id'])[:60]}")
                records[name] = record
                self._ctx.progress(None, f"{len(records)} of {len(names)} advisories")

        tasks = [asyncio.create_task(work()) for _ in range(min(_PARALLEL, len(names)))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return [records[name] for name in names]
