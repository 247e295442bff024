"""Takes out of a run what must not leave this machine: secrets, and all data where only its shape is wanted. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote, quote_plus

from pyagent.runtime.redact import MASK, redact
from pyagent.sdk.credentials import SHORTEST

_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"
    r"|(?P<keep>\b(?:bearer|basic)\s+|\b[A-Za-z0-9_]*(?:password|secret|token|api_?key)\s*=\s*)"
    r"[A-Za-z0-9+/_=.~-]{8,}"
    r"|\b(?:xox[abeprs]-|github_pat_|glpat-|AIza)[A-Za-z0-9_-]{10,}",
    re.IGNORECASE | re.DOTALL,
)
"""What looks like a secret beside what logs are cleaned of: better too much is taken out of a file than too little."""
_NAMED = re.compile(
    r"(?:proxy-)?authorization|(?:set-)?cookie|(?:x[_-])?api[_-]?key|(?:access|refresh|id|auth|bearer|session|csrf)?"
    r"[_-]?token|(?:client[_-]?|shared[_-]?)?secret|pass(?:word|wd|phrase)|private[_-]?key|access[_-]?key",
    re.IGNORECASE,
)
"""Names of fields that hold a secret, whatever it looks like."""
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z_-]{0,39}[0-9]{0,3}")
"""A field that a program has named; others may be named by data, as by an address."""
_KEPT_TEXT = frozenset(
    {
        *("status", "kind", "policy", "handled", "code", "node", "step", "graph", "graph_id", "trigger", "at", "until"),
        *("started_at", "ended_at", "how", "on_error", "on_parent", "level", "into", "semantics", "run", "called"),
        *("digest", "media_type", "blob", "id", "continues", "source", "version", "type", "format"),
    }
)
"""Fields of entries, events and rows whose text the engine has written, not somebody's data."""
_DATA = frozenset(
    {
        *("inputs", "outputs", "given", "seen", "value", "prompt", "details", "message", "hint"),
        *("title", "key", "text", "comment", "response_schema", "name", "labels", "url", "body"),
    }
)
"""Fields that hold data, all of it."""
_SPEECH = frozenset({"step.log", "step.token", "step.progress"})
_STRUCTURE = frozenset(
    {
        *("status", "kind", "policy", "handled", "code", "node", "step", "on_error", "on_parent", "resolve"),
        *("graph_id", "trigger", "until"),
    }
)
"""Fields that decisions hang on: a credential whose field says `completed` masks no status."""
_BY_NAME = frozenset({"writes", "state"})
"""Fields whose own fields are named by the graph."""
_PARAMS = ("with", "write", "name", "notes", "runs_on")
"""What of a node is cleaned; the rest is ids and words of the format."""
_FREE = ("name", "description", "notes", "inputs", "outputs", "state", "pins")
"""What of a graph is cleaned, beside its nodes."""


def forms_of(values: Iterable[str]) -> tuple[str, ...]:
    """The values and what they become in addresses, headers and JSON, the longest first; short ones are left out."""
    found: set[str] = set()
    for value in values:
        if len(value.strip()) < SHORTEST:
            continue
        raw = value.encode("utf-8", "surrogatepass")
        found |= {
            value,
            value.strip(),
            quote(raw, safe=""),
            quote(raw),
            quote_plus(raw),
            json.dumps(value)[1:-1],
            json.dumps(value, ensure_ascii=False)[1:-1],
            base64.b64encode(raw).decode(),
            base64.urlsafe_b64encode(raw).decode(),
        }
    return tuple(sorted(found, key=lambda value: (-len(value), value)))


def texts_in(value: Any) -> list[str]:
    """Every text in a JSON value, and every number of so many digits that it may be a secret."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, bool | None):
        return []
    if isinstance(value, int | float):
        return [str(value)]
    if isinstance(value, Mapping):
        value = list(cast("Mapping[str, Any]", value).values())
    return [text for part in cast("Iterable[Any]", value) for text in texts_in(part)]


class Cleaner:
    """Cleans the parts of one export, and gives what has changed its new names."""

    def __init__(self, secrets: Sequence[str], *, without_data: bool) -> None:
        """`secrets`: as `forms_of` gives them. `without_data`: of all data only the shape stays."""
        self.without_data = without_data
        self.renamed: dict[str, str] = {}
        """Digests and hashes of what was changed: the new one by the old one."""
        self.sizes: dict[str, int] = {}
        """Bytes of changed payloads, by their new digest."""
        self.masked = 0
        """Values in which something was masked."""
        self.secrets = secrets
        self._bytes = [secret.encode("utf-8", "surrogatepass") for secret in secrets]

    # secrets

    def value(self, value: Any) -> Any:
        """JSON without secrets, and with the new names of payloads and graphs that were changed."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return self._object(cast("Mapping[str, Any]", value))
        if isinstance(value, list | tuple):
            return [self.value(part) for part in cast("Sequence[Any]", value)]
        if isinstance(value, int | float) and not isinstance(value, bool) and self.secrets:
            # A number is a secret where its digits are.
            if str(value) in self.secrets:
                self.masked += 1
                return 0
            return value
        return value

    def _text(self, text: str) -> str:
        if (renamed := self.renamed.get(text)) is not None:
            return renamed
        found = self.redacted(text)
        self.masked += found != text
        return found

    def redacted(self, text: str) -> str:
        """A text without secrets."""
        return _SHAPES.sub(lambda found: (found["keep"] or "") + MASK, redact(text, self.secrets))

    def _object(self, value: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, part in value.items():
            cleaned = self.value(part)
            if isinstance(part, str) and part and "{{" not in part and _NAMED.fullmatch(name):
                self.masked += cleaned != MASK
                cleaned = MASK
            found[self._text(name)] = cleaned
        if isinstance(found.get("digest"), str) and "size" in found:
            found["size"] = self.sizes.get(found["digest"], found["size"])
        return found

    def content(self, content: bytes, media_type: str) -> bytes:
        """A payload without secrets; without data a word about it."""
        if self.without_data:
            return f"{len(content)} bytes of {media_type or 'some kind'} were left out\n".encode()
        try:
            text = content.decode()
        except UnicodeDecodeError:
            found = content
            for secret in self._bytes:
                found = found.replace(secret, MASK.encode())
            self.masked += found != content
            return found
        if text.lstrip()[:1] in ("{", "["):
            try:
                parsed = json.loads(text)
                cleaned = self.value(parsed)
            except (ValueError, RecursionError):
                return self._text(text).encode()
            if cleaned != parsed:
                text = json.dumps(cleaned, ensure_ascii=False)
                return text.encode("utf-8", "surrogatepass")
        return self._text(text).encode()

    # shapes

    def item(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """An item as the log keeps it."""
        cleaned = self.value(item) | ({"from": item["from"]} if "from" in item else {})
        if not self.without_data:
            return cleaned
        found = {**cleaned, "json": shape_of(cleaned["json"])}
        if "binary" in cleaned:
            refs = cast("Mapping[str, Mapping[str, Any]]", cleaned["binary"])
            found["binary"] = {
                name: {**ref, "name": _file_shape(str(ref.get("name", "")))} for name, ref in refs.items()
            }
        return found

    def data(self, data: Any, kind: str = "") -> Any:
        """What an entry, an event or a step's row says beside items. `kind`: of the entry or event."""
        cleaned = self._restored(self.value(data), data)
        if not self.without_data:
            return cleaned
        if kind in _SPEECH:
            kept = ("level", "fraction")
            return {name: part if name in kept else shape_of(part) for name, part in cleaned.items()}
        free = kind.startswith("run.cancel")
        return _structure(cleaned, shaped=_DATA | {"reason"} if free else _DATA, kept=_KEPT_TEXT | {"reason"})

    def _restored(self, cleaned: Any, data: Any, depth: int = 2) -> Any:
        """What was cleaned, with the words of the engine as they were."""
        if not isinstance(cleaned, dict) or not isinstance(data, Mapping) or not depth:
            return cast("Any", cleaned)
        found, before = cast("dict[str, Any]", cleaned), cast("Mapping[str, Any]", data)
        for name in found.keys() & before.keys():
            given = before[name]
            if name in _STRUCTURE and isinstance(given, str):
                found[name] = given
            elif name == "graphs" and isinstance(given, Mapping):
                pinned = cast("Mapping[str, str]", given)
                found[name] = {graph: self.renamed.get(hash, hash) for graph, hash in pinned.items()}
            elif name in _BY_NAME and isinstance(given, Mapping):
                values = cast("Mapping[str, Any]", given)
                found[name] = {channel: self.value(value) for channel, value in values.items()}
            else:
                found[name] = self._restored(found[name], given, depth - 1)
        return found

    def graph(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A graph's data, with its ids and edges as they are."""
        found = {name: self._named(part) if name in _FREE else part for name, part in data.items()}
        if "nodes" in found:
            found["nodes"] = [self._node(node) for node in found["nodes"]]
        return found

    def _named(self, part: Any) -> Any:
        if isinstance(part, Mapping):
            return {name: self.value(value) for name, value in cast("Mapping[str, Any]", part).items()}
        return self.value(part)

    def _node(self, node: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: self.value(part) if name in _PARAMS else part for name, part in node.items()}
        if isinstance(found.get("body"), Mapping):
            found["body"] = self.graph(found["body"])
        return found

    def whole(self, value: Any) -> Any:
        """Data and nothing else: inputs, outputs."""
        cleaned = self.value(value)
        return shape_of(cleaned) if self.without_data else cleaned

    def word(self, text: str | None) -> str | None:
        """A name that a person gave: a start key, an actor."""
        if text is None or not self.without_data:
            return self.value(text)
        return text if text in ("", "local") else shape_of(text)


def shape_of(value: Any) -> Any:
    """A value of the same JSON type that tells types and lengths and nothing else: texts by their length, numbers as 0,
    flags as false, lists with as many values, objects with the same fields."""
    if isinstance(value, str):
        return f"text of {len(value)}"
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return 0
    if isinstance(value, float):
        return 0.0
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        return {
            name if _PLAIN_NAME.fullmatch(name) else f"field {number}": shape_of(part)
            for number, (name, part) in enumerate(fields.items(), 1)
        }
    if isinstance(value, list | tuple):
        return [shape_of(part) for part in cast("Sequence[Any]", value)]
    return None


def _structure(value: Any, *, shaped: frozenset[str], kept: frozenset[str], name: str = "") -> Any:
    """What the engine has written stays, data becomes its shape."""
    if name in _BY_NAME and isinstance(value, Mapping):
        return {channel: shape_of(part) for channel, part in cast("Mapping[str, Any]", value).items()}
    if name in shaped:
        return shape_of(value)
    if isinstance(value, Mapping):
        parts = cast("Mapping[str, Any]", value)
        if name == "graphs":
            return dict(parts)
        return {inner: _structure(part, shaped=shaped, kept=kept, name=inner) for inner, part in parts.items()}
    if isinstance(value, list | tuple):
        values = cast("Sequence[Any]", value)
        if name == "items" or (name not in kept and name != "steps"):
            return [shape_of(part) for part in values]
        return list(values)
    if isinstance(value, str) and name not in kept and name != "graphs":
        return shape_of(value)
    return value


def _file_shape(name: str) -> str:
    """A file's name by its length, with its ending."""
    base, dot, ending = name.rpartition(".")
    if dot and re.fullmatch(r"[A-Za-z0-9]{1,8}", ending):
        return f"text of {len(base)}.{ending}"
    return shape_of(name) if name else ""


__all__ = ["Cleaner", "forms_of", "shape_of", "texts_in"]
