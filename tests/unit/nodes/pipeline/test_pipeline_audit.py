"""`pipeline.audit`: secrets that are never shown, advisories, licences, and checks that could not be made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyagent.errors import NodeError
from pyagent.testing.advisory_server import AdvisoryServer
from pyagent_nodes.pipeline.advisories import NotAdvisories, match, records_of
from pyagent_nodes.pipeline.licences import read_licences
from pyagent_nodes.pipeline.secret_scan import entropy, scan

# Put together at run time, so that scanners of this repository find nothing.
SECRETS = {
    "aws-access-key": "AKIA" + "Q3EGFRTLZUWPN5XA",
    "github-token": "ghp_" + "a8Kd93kLmZq0Rt5vXw2YbC7nE4uHj6Ps1TgQ",
    "gitlab-token": "glpat-" + "Zx81kdPq7Lm3Vn5Rt9Ws",
    "slack-token": "xoxb-" + "9182736455-kdjfhgUYTRewq",
    "stripe-key": "sk_live_" + "9aKd83Lm4ZqRt5vXw2YbC7nE",
    "google-api-key": "AIza" + "SyD9kL3mZq0Rt5vXw2YbC7nE4uHj6Ps1TgQ",
    "pypi-token": "pypi-AgE" + "IcHlwaS5vcmcCJGQ4ZDk3ZjY2LTk4ZTktNGIyNS1hZjQyLWQ4ZGY",
    "npm-token": "npm_" + "a8Kd93kLmZq0Rt5vXw2YbC7nE4uHj6Ps1TgQ",
    "private-key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "json-web-token": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w",
    "password-in-url": "postgres://app:" + "h8Kd93kLm@db.internal:5432/x",
    "assigned-secret": 'db_password = "' + "h8Kd93kLmZq0Rt5v" + '"',
}


@pytest.mark.parametrize("rule", list(SECRETS))
def test_a_secret_is_found_by_its_form_and_never_shown(rule: str) -> None:
    (found,) = scan(f"first\nx {SECRETS[rule]} y\n")
    assert (found.rule, found.line) == (rule, 2)
    value = SECRETS[rule].split('"')[1] if '"' in SECRETS[rule] else SECRETS[rule]
    assert not any(value[at : at + 6] in found.message for at in range(len(value) - 6))


@pytest.mark.parametrize(
    "line",
    [
        'password = "changeme-please-now"',
        'password = os.environ["DATABASE_PASSWORD"]',
        'token = "{{ $json.token_from_vault }}"',
        'api_key = "your_api_key_here_1"',
        'secret = "a perfectly plain sentence"',
        'password_field = "account.settings.password"',
        "key = AKIAIOSFODNN7EXAMPLE",
        "postgres://user:password@localhost/test",
        "https://example.org:8080/path@2x.png",
        f'token = "{SECRETS["npm-token"]}"  # pragma: allowlist secret',
        'sha256 = "e0050c0b7da1eea53ffaf149c0cfbb5c6e2e2b69c4bef22c81fa6eb73e5f6173"',
        'token_type: str = "application/x-www-form"',
    ],
)
def test_placeholders_and_plain_values_are_no_secrets(line: str) -> None:
    assert list(scan(line)) == []


@given(st.text(max_size=300))
def test_no_text_breaks_the_scan(text: str) -> None:
    assert all(1 <= found.line <= len(text.splitlines()) for found in scan(text))


def test_a_line_of_a_megabyte_is_scanned_at_once() -> None:
    assert list(scan("password=" * 120_000)) == []
    assert list(scan("a" * 1_000_000)) == []


def test_entropy_grows_with_the_variety_of_characters() -> None:
    assert entropy("") == entropy("aaaa") == 0
    assert entropy("abcd") == 2
    assert entropy(SECRETS["npm-token"]) > 4


def advisory(**affected: Any) -> dict[str, Any]:
    """An advisory for the package `Some.Thing`."""
    return {
        "id": "GHSA-1",
        "summary": "It breaks",
        "affected": [{"package": {"ecosystem": "PyPI", "name": "Some.Thing"}, **affected}],
        "database_specific": {"severity": "MODERATE"},
        "references": [{"type": "WEB", "url": "https://advisories.invalid/1"}],
    }


def in_range(*events: dict[str, str]) -> dict[str, Any]:
    """An advisory for versions between these events."""
    return advisory(ranges=[{"type": "ECOSYSTEM", "events": list(events)}])


@pytest.mark.parametrize(
    ("record", "version", "affects"),
    [
        (in_range({"introduced": "0"}, {"fixed": "2.0"}), "1.9", True),
        (in_range({"introduced": "0"}, {"fixed": "2.0"}), "2.0", False),
        (in_range({"introduced": "0"}, {"fixed": "2.0"}), "2.0rc1", True),
        (in_range({"introduced": "1.0"}, {"fixed": "1.5"}, {"introduced": "2.0"}), "1.7", False),
        (in_range({"introduced": "1.0"}, {"fixed": "1.5"}, {"introduced": "2.0"}), "2.1", True),
        (in_range({"introduced": "1.0"}, {"last_affected": "1.5"}), "1.5", True),
        (in_range({"introduced": "1.0"}, {"last_affected": "1.5"}), "1.5.1", False),
        (in_range({"introduced": "not a version"}), "1.0", False),
        (advisory(versions=["1.0"]), "1.0", True),
        (advisory(versions=["1.1"]), "1.0", False),
        ({**advisory(versions=["1.0"]), "withdrawn": "2024-01-01T00:00:00Z"}, "1.0", False),
    ],
)
def test_an_advisory_applies_to_the_versions_it_names(record: dict[str, Any], version: str, affects: bool) -> None:
    found = list(match([record], {"some-thing": version}))
    assert bool(found) == affects
    if found:
        assert (found[0].rule, found[0].severity) == ("GHSA-1", "medium")
        assert found[0].message.startswith(f"some-thing {version}: It breaks")


def test_an_advisory_for_another_package_does_not_apply() -> None:
    assert list(match([advisory(versions=["1.0"])], {"other": "1.0"})) == []


@pytest.mark.parametrize("document", ["text", 5, [1], [{"summary": "no id"}], {"no": "id"}])
def test_a_document_that_is_not_osv_is_refused(document: Any) -> None:
    with pytest.raises(NotAdvisories):
        records_of(document)


def test_licences_are_read_from_metadata_in_its_three_forms(tmp_path: Path) -> None:
    forms = {
        "a": "License-Expression: MIT OR Apache-2.0\nLicense: other\n",
        "b": "Classifier: License :: OSI Approved\nClassifier: License :: OSI Approved :: BSD License\n",
        "c": "License: ISC\n",
        "d": "License: UNKNOWN\n",
    }
    for name, form in forms.items():
        folder = tmp_path / "lib" / "python3.11" / "site-packages" / f"{name}-1.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1\n{form}")
    assert {one.package: one.licence for one in read_licences(tmp_path)} == {
        "a": "MIT OR Apache-2.0", "b": "BSD License", "c": "ISC", "d": "",
    }  # fmt: skip


async def audited(bench: Any, **params: Any) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """The checks by name and the findings."""
    await bench.ready()
    bench.item["environment"]["lock"] = ["some-thing==1.0"]
    await bench.step("audit", "source", "environment", **params)
    audit = bench.item["audit"]
    return {check["name"]: check for check in audit["checks"]}, json.loads(bench.content(audit["findings"]))


async def test_findings_name_file_line_rule_and_severity_the_gravest_first(bench: Any) -> None:
    bench.write(
        {
            "app.py": "import subprocess\n\ndef f(x):\n    assert x\n    subprocess.call(x, shell=True)\n",
            "tests/test_app.py": "def test_a():\n    assert True\n",
            "settings.ini": f"key = {SECRETS['aws-access-key']}\n",
        }
    )
    checks, findings = await audited(bench)
    assert [one["severity"] for one in findings] == ["high", "high", "low", "low"]
    where = {(one["rule"], one["file"], one["line"]) for one in findings}
    assert {("B602", "app.py", 5), ("aws-access-key", "settings.ini", 1), ("B101", "app.py", 4)} <= where
    assert not any("tests/" in one["file"] for one in findings)
    assert SECRETS["aws-access-key"] not in json.dumps(findings)
    assert checks["code"]["by"].startswith("bandit ")
    assert bench.item["audit"]["counts"]["high"] == 2


async def test_dependencies_without_a_source_are_not_checked_and_it_says_so(bench: Any) -> None:
    bench.write({"app.py": ""})
    checks, findings = await audited(bench)
    assert checks["dependencies"]["status"] == "not checked"
    assert checks["dependencies"]["reason"] == "no advisory source is configured"
    assert findings == []


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AdvisoryServer]:
    """An advisory server that knows of one advisory for what is installed, and one for a later version."""
    monkeypatch.setenv("PYAGENT_ALLOW_PRIVATE", "127.0.0.1")
    with AdvisoryServer(page=1) as found:
        found.plant("GHSA-1", "Some.Thing", fixed="1.1", severity="MODERATE")
        found.plant("GHSA-2", "some_thing", introduced="2.0")
        found.plant("GHSA-3", "other")
        found.plant("GHSA-4", "some-thing", versions=["1.0"], severity="CRITICAL")
        yield found


@pytest.mark.parametrize("path", ["", "/", "/v1"])
async def test_a_service_is_asked_for_what_is_installed(bench: Any, server: AdvisoryServer, path: str) -> None:
    bench.write({"app.py": ""})
    checks, findings = await audited(bench, advisories=server.url + path)
    assert checks["dependencies"]["by"] == f"1 packages asked of {server.url}{path}"
    assert [(one["check"], one["rule"], one["severity"], one["more"]) for one in findings] == [
        ("dependencies", "GHSA-4", "critical", "https://advisories.invalid/GHSA-4"),
        ("dependencies", "GHSA-1", "medium", "https://advisories.invalid/GHSA-1"),
    ]
    assert findings[1]["message"] == "some-thing 1.0: planted (fixed in 1.1)"
    assert {request.path for request in server.http.requests} == {
        "/v1/querybatch", "/v1/vulns/GHSA-1", "/v1/vulns/GHSA-4",
    }  # fmt: skip


async def test_dependencies_are_checked_against_a_document(bench: Any, server: AdvisoryServer) -> None:
    bench.write({"app.py": ""})
    checks, findings = await audited(bench, advisories=server.document)
    assert checks["dependencies"]["by"] == f"4 advisories from {server.document}"
    assert [one["rule"] for one in findings] == ["GHSA-4", "GHSA-1"]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("down", "cannot be reached: Server error '503"),
        ("silent", "did not answer within 1s"),
        ("broken", "is not a list of advisories"),
        ("forgetful", "of 1 questions it answers 0"),
        ("swapped", "asked for GHSA-"),
    ],
)
async def test_a_service_that_fails_is_reported_with_the_reason_and_never_as_clean(
    bench: Any, server: AdvisoryServer, behaviour: Any, reason: str
) -> None:
    server.behaviour = behaviour
    bench.write({"app.py": ""})
    checks, findings = await audited(bench, advisories=server.url, timeout=1 if behaviour == "silent" else 60)
    assert checks["dependencies"]["status"] == "not checked"
    assert reason in checks["dependencies"]["reason"]
    assert findings == []


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("http://127.0.0.1:9/x.json", "cannot be reached"),
        ("http://10.0.0.1/v1", "cannot be asked"),
        ("/no/such/file.json", "cannot be read"),
        ("{server}/missing.json", "cannot be reached"),
    ],
)
async def test_a_source_that_is_not_there_is_reported_with_the_reason(
    bench: Any, server: AdvisoryServer, where: str, reason: str
) -> None:
    bench.write({"app.py": ""})
    checks, _ = await audited(bench, advisories=where.replace("{server}", server.url))
    assert checks["dependencies"]["status"] == "not checked"
    assert reason in checks["dependencies"]["reason"]


async def test_a_cancelled_audit_stops(bench: Any) -> None:
    bench.write({"app.py": ""})
    await bench.ready()
    bench.cancel.trigger()
    with pytest.raises(NodeError) as caught:
        await bench.step("audit", "source", "environment")
    assert caught.value.code == "node.cancelled"
