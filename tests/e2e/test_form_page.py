"""A form in a real browser, on a phone and without scripts: opened by its address, refused, mended, sent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from server_process import ServerProcess

pytestmark = pytest.mark.integration
CHROMIUM = os.environ.get("PYAGENT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
GRAPH = """\
pyagent: 1
id: ask
outputs: {answer: "{{ $('ask').first().json.approval }}"}
nodes: [{id: ask, use: flow.approve@1, with: {title: "Keep the change?", message: Tests are green.}}]
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    (tmp_path / "ask.yaml").write_text(GRAPH)
    with ServerProcess(tmp_path) as server:
        yield server


@pytest.fixture
def phone() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no chromium: install it, or set PYAGENT_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 640}).new_page()
        browser.close()


def test_an_approval_is_given_by_its_address_alone(phone: Page, server: ServerProcess) -> None:
    run_id = server.post("/runs", {"graph": "ask"})["id"]
    address = server.get(f"/runs/{run_id}?wait=20")["steps"][0]["form"]
    phone.goto(server.address + address)
    expect(phone.get_by_role("heading", name="Keep the change?")).to_be_visible()
    assert phone.locator("main").bounding_box()["width"] <= 360  # type: ignore[index]
    phone.get_by_label("Comment").fill("Good <work>")
    phone.get_by_role("button", name="Approve").click()
    expect(phone.get_by_role("heading", name="Thank you")).to_be_visible()
    assert server.get(f"/runs/{run_id}?wait=20")["status"] == "completed"
    assert server.get(f"/runs/{run_id}")["outputs"]["answer"]["comment"] == "Good <work>"
    phone.goto(server.address + address)
    expect(phone.get_by_role("heading", name="This form is closed")).to_be_visible()
