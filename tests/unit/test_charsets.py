"""Character sets that strangers name."""

from __future__ import annotations

import pytest

from pyagent.sdk.charsets import charset


@pytest.mark.parametrize("name", ["utf-8", "UTF8", "latin1", "cp1252", "utf-16", "shift_jis", "gb18030", "koi8-r"])
def test_a_character_set_is_known_by_its_names(name: str) -> None:
    assert "ab".encode(name).decode(charset(name)) == "ab"


@pytest.mark.parametrize(
    "name",
    ["klingon", "", "../x", "a\0b", "x" * 5000, "hex", "rot13", "undefined", "unicode_escape", "utf-7", "Punycode"],
)
def test_what_texts_are_not_sent_in_is_unknown(name: str) -> None:
    with pytest.raises(LookupError):
        charset(name)
