"""The page in a real browser: from the one-time link to an approved, completed run, and through a server's restart."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

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
id: review
name: Review a change
inputs:
  title: {type: string, title: Title, default: Fix the gate}
  gate: {type: string, title: Gate, description: The file that opens the gate}
outputs: {kept: "{{ $('keep').first().json.title }}"}
nodes:
  - {id: read, use: data.set@1, name: Read the change, with: {fields: {title: "{{ $inputs.title }}"}}}
  - id: test
    use: code.python@1
    name: Run the tests
    effects: idempotent
    with:
      read: ["{{ $inputs.gate.split('/').slice(0, -1).join('/') }}"]
      code: |
        import os, time
        print("waiting for the gate")
        while not os.path.exists(inputs["gate"]):
            time.sleep(0.02)
        print("<b>the gate is open</b>")
        return items
  - id: ask
    use: flow.approve@1
    name: Keep it?
    with: {title: "Keep “{{ $json.title }}”?", message: "Tests are green."}
  - {id: keep, use: data.set@1, name: Keep, with: {fields: {title: "{{ $json.title }}"}}}
  - {id: drop, use: flow.fail@1, name: Drop, with: {message: Nobody wanted it}}
edges:
  - read -> test
  - test -> ask
  - ask.approved -> keep
  - ask.rejected -> drop
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Playwright keeps an event loop running in this thread: it must end before other modules start theirs.
    if CHROMIUM is None:
        pytest.skip("no chromium: install it, or set PYAGENT_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    (tmp_path / "review.yaml").write_text(GRAPH)
    with ServerProcess(tmp_path) as server:
        yield server


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, server: ServerProcess) -> Iterator[Page]:
    """A page that came in by the link; nothing may go wrong in it, the policy for scripts and styles included."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "Content Security" in said.text else None)
    page.goto(server.link)
    expect(page.get_by_role("heading", name="Graphs")).to_be_visible()
    yield page
    assert wrong == []


def start(page: Page, gate: Path) -> None:
    page.get_by_role("link", name=re.compile("Review a change")).click()
    page.get_by_label("Gate").fill(str(gate))
    page.get_by_role("button", name="Start a run").click()
    expect(page.get_by_role("heading", name="Steps")).to_be_visible()


def status_of(page: Page, name: str, status: str) -> None:
    expect(page.locator(f'.picture [data-node="{name}"]')).to_have_attribute("data-status", status)


def test_a_run_is_started_watched_approved_and_seen_to_complete(page: Page, tmp_path: Path) -> None:
    start(page, tmp_path / "gate")
    status_of(page, "read", "completed")
    status_of(page, "test", "running")
    expect(page.locator(".steps")).to_contain_text("waiting for the gate")
    (tmp_path / "gate").touch()
    question = page.get_by_role("heading", name="Keep “Fix the gate”?")
    expect(question).to_be_visible()
    status_of(page, "ask", "waiting")
    expect(page.locator(".run-heading .badge")).to_have_text("waiting")
    page.get_by_label("Comment").fill("Looks right")
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.locator(".run-heading .badge")).to_have_text("completed")
    expect(question).to_be_hidden()
    status_of(page, "keep", "completed")
    status_of(page, "drop", "skipped")
    expect(page.locator(".column")).to_contain_text("Fix the gate")
    assert page.locator(".steps b").count() == 0, "what steps say is text, never HTML"


def test_a_rejected_run_shows_its_error_and_can_be_tried_again(page: Page, tmp_path: Path) -> None:
    (tmp_path / "gate").touch()
    start(page, tmp_path / "gate")
    page.get_by_role("button", name="Reject").click()
    expect(page.locator(".run-heading .badge")).to_have_text("failed")
    wrong = page.locator(".column .error").first
    expect(wrong).to_contain_text("node.failed")
    expect(wrong).to_contain_text("Nobody wanted it")
    page.get_by_role("button", name="Try again from here").click()
    status_of(page, "drop", "failed")


def test_a_run_is_cancelled_from_the_page(page: Page, tmp_path: Path) -> None:
    start(page, tmp_path / "gate")
    status_of(page, "test", "running")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".run-heading .badge")).to_have_text("cancelled")
    status_of(page, "test", "cancelled")


def test_the_page_lives_through_a_restart_of_the_server_and_misses_nothing(
    page: Page, server: ServerProcess, tmp_path: Path
) -> None:
    start(page, tmp_path / "gate")
    status_of(page, "test", "running")
    expect(page.locator("#link-state")).to_have_text("live")
    assert server.stop() == 0
    expect(page.locator("#link-state")).to_have_text("reconnecting…")
    (tmp_path / "gate").touch()
    with ServerProcess(tmp_path, server.port):
        expect(page.locator("#link-state")).to_have_text("live", timeout=20_000)
        page.get_by_role("button", name="Approve", exact=True).click(timeout=20_000)
        expect(page.locator(".run-heading .badge")).to_have_text("completed")
        status_of(page, "read", "completed")
        status_of(page, "keep", "completed")


def test_the_list_of_runs_is_live(page: Page, server: ServerProcess, tmp_path: Path) -> None:
    expect(page.get_by_text("No runs yet")).to_be_visible()
    (tmp_path / "gate").touch()
    run = server.post("/runs", {"graph": "review", "inputs": {"gate": str(tmp_path / "gate")}})
    row = page.locator("tr", has_text=run["id"])
    expect(row.locator(".badge")).to_have_text("waiting")
    server.post(f"/runs/{run['id']}/answer", {"value": {"approved": True}})
    expect(row.locator(".badge")).to_have_text("completed")


def test_the_whole_way_can_be_gone_by_keyboard(page: Page, tmp_path: Path) -> None:
    (tmp_path / "gate").touch()
    page.get_by_role("link", name=re.compile("Review a change")).focus()
    page.keyboard.press("Enter")
    page.get_by_label("Gate").focus()
    page.keyboard.type(str(tmp_path / "gate"))
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Approve", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".run-heading .badge")).to_have_text("completed")
    page.locator('.picture [data-node="test"]').focus()
    page.keyboard.press("Enter")
    expect(page.locator(".log")).to_contain_text("the gate is open")


def test_a_phone_scrolls_down_and_not_sideways(page: Page, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    (tmp_path / "gate").touch()
    start(page, tmp_path / "gate")
    expect(page.get_by_role("button", name="Approve", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_stranger_sees_only_how_to_get_in(context: BrowserContext, server: ServerProcess) -> None:
    page = context.new_page()
    page.goto(server.address)
    expect(page.get_by_text(f"pyagent open --port {server.port}")).to_be_visible()
    expect(page.get_by_role("heading", name="Graphs")).to_be_hidden()
