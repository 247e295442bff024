"""What is taken out of a run before it leaves the machine."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyagent.runtime.run_cleaning import Cleaner, forms_of

SECRET = "correct-horse-battery"
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=6) | st.just("SECRET"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4) | st.just("SECRET"), inner),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(value=JSON, before=st.text(max_size=5), after=st.text(max_size=5), without_data=st.booleans())
def test_no_secret_is_left_wherever_it_stands(value: object, before: str, after: str, without_data: bool) -> None:
    def hidden(part: object) -> object:
        if isinstance(part, dict):
            return {hidden(name): hidden(inner) for name, inner in part.items()}
        if isinstance(part, list):
            return [hidden(inner) for inner in part]
        return part.replace("SECRET", before + SECRET + after) if isinstance(part, str) else part

    cleaner = Cleaner(forms_of([SECRET]), without_data=without_data)
    given_value = hidden(value)
    for cleaned in (cleaner.value(given_value), cleaner.data({"message": given_value}), cleaner.whole(given_value)):
        assert SECRET not in repr(cleaned)
    text = json.dumps(given_value).encode()
    assert SECRET.encode() not in cleaner.content(text, "application/json")


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0abcdef.sig_nature",
        "Authorization header: Bearer abcdefgh12345678",
        "DB_PASSWORD=hunter2hunter2",
        "xoxb-1234567890-abcdef",
        "postgresql://ada:hunter22@db.example/x",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    cleaned = Cleaner((), without_data=False).value(f"before {text} after")
    assert "••••" in cleaned
    assert cleaned.startswith("before ")
    assert not any(word in cleaned for word in ("MIIE", "sig_nature", "12345678", "hunter2", "abcdef"))


def test_other_forms_of_a_secret_are_known() -> None:
    cleaner = Cleaner(forms_of(['p"w & ü/1']), without_data=False)
    for text in ("p%22w%20%26%20%C3%BC%2F1", "p%22w+%26+%C3%BC%2F1", 'p\\"w & ü/1', "cCJ3ICYgw7wvMQ=="):
        assert cleaner.value(f"x {text} y") == "x •••• y"
