"""Finds secrets in texts: known token forms, private keys, and assigned values of high entropy.

What it returns never holds a secret, nor a part or a hash of one.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_LINE = 20_000
"""Longer lines are generated: they are looked at only up to here."""


@dataclass(frozen=True, kw_only=True)
class Secret:
    """Where a secret is, and of what kind."""

    rule: str
    line: int
    """From 1."""
    message: str
    severity: str
    """`high` for known forms, `medium` for values that only look like secrets."""


@dataclass(frozen=True, kw_only=True)
class _Rule:
    name: str
    pattern: re.Pattern[str]
    title: str


def _rule(name: str, title: str, pattern: str) -> _Rule:
    return _Rule(name=name, title=title, pattern=re.compile(pattern))


_KNOWN = (
    _rule("private-key", "a private key", r"-----BEGIN (?:[A-Z]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
    _rule("aws-access-key", "an AWS access key id", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    _rule("github-token", "a GitHub token", r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b"),
    _rule("github-token", "a GitHub token", r"\bgithub_pat_[A-Za-z0-9_]{80,255}\b"),
    _rule("gitlab-token", "a GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,64}\b"),
    _rule("slack-token", "a Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,250}\b"),
    _rule("slack-webhook", "a Slack webhook", r"hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/\w{16,}"),
    _rule("stripe-key", "a live Stripe key", r"\b[rs]k_live_[A-Za-z0-9]{16,255}\b"),
    _rule("google-api-key", "a Google API key", r"\bAIza[A-Za-z0-9_-]{35}\b"),
    _rule("pypi-token", "a PyPI token", r"\bpypi-AgE[A-Za-z0-9_-]{50,}"),
    _rule("npm-token", "an npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    _rule("anthropic-key", "an Anthropic API key", r"\bsk-ant-[A-Za-z0-9_-]{24,}"),
    _rule("openai-key", "an OpenAI API key", r"\bsk-(?:proj-)?[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,}"),
    _rule("sendgrid-key", "a SendGrid key", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b"),
    _rule("json-web-token", "a JSON web token", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
)  # fmt: skip
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"<>{}$]{1,80}:(?P<value>[^\s/:@'\"<>{}$]{3,120})@[\w.-]+")
_ASSIGNED = re.compile(
    r"""(?P<name>[\w.-]{0,40}(?:secret|passwd|password|token|api[_-]?key|apikey|access[_-]?key|private[_-]?key|auth)
        [\w.-]{0,20})["']?\s*(?::\s*[\w.\[\]| ]{1,30}=|[:=]>?)\s*(?P<quote>["'])(?P<value>[^"'\s]{12,200})(?P=quote)""",
    re.IGNORECASE | re.VERBOSE,
)
_PLACEHOLDER = re.compile(
    r"example|sample|dummy|placeholder|changeme|change[_-]?me|your[_-]|xxxx|\*\*\*|\.\.\.|<[^>]*>|\$\{|\{\{|%\(|foobar"
    r"|not[_-]?a[_-]?|fake|redacted|1234567|abcdefg|test[_-]?(?:key|token|secret|password)",
    re.IGNORECASE,
)
_ALLOWED = re.compile(r"pragma:\s*allowlist\s+secret|nosec\b|gitleaks:allow|noqa:\s*S10[5-7]", re.IGNORECASE)
_LEAST_ENTROPY = 3.5
_HEX_LEAST_ENTROPY = 3.0


def entropy(text: str) -> float:
    """Shannon entropy of the characters, in bits per character."""
    if not text:
        return 0.0
    total = len(text)
    return -sum(count / total * math.log2(count / total) for count in Counter(text).values())


def _random_looking(value: str) -> bool:
    if re.fullmatch(r"[0-9a-fA-F]+", value):
        return len(value) >= 20 and entropy(value) >= _HEX_LEAST_ENTROPY
    kinds = sum(bool(re.search(kind, value)) for kind in (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^A-Za-z0-9]"))
    wordy = re.fullmatch(r"[A-Za-z]+(?:[ _./:-][A-Za-z]+)*", value)  # names, paths and prose have one shape
    return kinds >= 2 and not wordy and entropy(value) >= _LEAST_ENTROPY


def scan(text: str) -> Iterator[Secret]:
    """Every secret in a text, at most one for each rule and line."""
    for number, whole in enumerate(text.splitlines(), start=1):
        line = whole[:LONGEST_LINE]
        if _ALLOWED.search(line):
            continue
        known = False
        for rule in _KNOWN:
            if (found := rule.pattern.search(line)) and not _PLACEHOLDER.search(found[0]):
                known = True
                yield Secret(rule=rule.name, line=number, message=f"looks like {rule.title}", severity="high")
        if known:
            continue
        if (found := _URL.search(line)) and not _harmless_password(found["value"]):
            yield Secret(rule="password-in-url", line=number, message="an address holds a password", severity="medium")
        for found in _ASSIGNED.finditer(line):
            value = found["value"]
            if not _PLACEHOLDER.search(value) and _random_looking(value):
                yield Secret(
                    rule="assigned-secret",
                    line=number,
                    message=f"{found['name'][:60]} is given a value that looks like a secret ({len(value)} characters)",
                    severity="medium",
                )
                break


def _harmless_password(value: str) -> bool:
    return bool(_PLACEHOLDER.search(value)) or value.lower() in {
        "password", "pass", "passwd", "pwd", "pw", "secret", "user", "token", "test", "postgres",
        "root", "admin", "guest",
    }  # fmt: skip
