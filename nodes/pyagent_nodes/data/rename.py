"""`data.rename`: other names for fields."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, Field, model_validator

from pyagent.sdk import Context, Item, JsonObject, NodeError, NodeParams, node
from pyagent.sdk.fields import MISSING, FieldPath, read_field, split_path, with_field, without_field

# Words are letters and digits between other characters, and humps: HTTPServer2Url is http server2 url.
_WORDS = re.compile(r"[^\W_]+")
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LONGEST_NAME = 10_000


@lru_cache(maxsize=256)
def _compiled(pattern: str, ignore_case: bool) -> Any:
    import re2

    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    return re2.compile(pattern, options)


def _pattern(value: str) -> str:
    if "{{" in value:
        return value
    import re2

    try:
        _compiled(value, False)
    except re2.error as error:
        raise ValueError(
            f"not a pattern of RE2: {_said(error)}; it knows no look-around and no back-references"
        ) from None
    return value


def _said(error: Exception) -> str:
    said: Any = error.args[0] if error.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


class Pattern(NodeParams):
    """Names changed by a regular expression."""

    match: Annotated[str, AfterValidator(_pattern)] = Field(
        min_length=1, description="RE2 regular expression, looked for anywhere in a name", examples=["^old_(.*)$"]
    )
    to: str = Field(description=r"What stands there then; `\1` is the first group", examples=[r"new_\1"])
    ignore_case: bool = Field(False, description="Upper and lower case are the same")


class RenameParams(NodeParams):
    """Parameters of `data.rename`."""

    names: dict[FieldPath, FieldPath] = Field(
        default_factory=dict,
        description="New path by old path, all at once, so that two fields may swap their names",
        examples=[{"Unit Price": "price", "customer.mail": "email"}],
    )
    patterns: list[Pattern] = Field(default_factory=list, description="Then, for all names, one after the other")
    style: Literal["snake", "camel", "pascal", "kebab", "lower", "upper"] | None = Field(
        None, description="Then, for all names: unit_price, unitPrice, UnitPrice, unit-price, or only the case"
    )
    deep: bool = Field(False, description="Patterns and style also for names inside objects and lists")
    clash: Literal["fail", "first", "last"] = Field(
        "fail", description="Two fields that get one name: an error, or the first or last of them stays"
    )
    missing: Literal["skip", "fail"] = Field("skip", description="A field of `names` that the item does not have")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not (self.names or self.patterns or self.style):
            raise ValueError("give `names`, `patterns` or `style`")
        targets = list(self.names.values())
        for target in targets:
            if targets.count(target) > 1 and self.clash == "fail":
                raise ValueError(f"two fields would be called {target!r}")
        return self


@node("data.rename", title="Rename fields", icon="text-cursor-input", effects="none", each_item=True)
async def rename(item: Item, params: RenameParams, ctx: Context) -> Item:
    """Rename fields one by one, by patterns, or all in one style; values and the order of fields stay.

    Patterns are RE2's, which takes linear time whatever the name. With `first` or `last`, of two fields with one
    name the later one in the item's order is dropped, or the earlier.
    """
    json = _named(item.json, params) if params.names else item.json
    changes = [_substitution(pattern) for pattern in params.patterns]
    if params.style is not None:
        changes.append(_STYLES[params.style])
    if changes:
        json = cast("JsonObject", _all(json, changes, params))
    return Item(json, item.binary, item.sources)


def _named(json: JsonObject, params: RenameParams) -> JsonObject:
    found: dict[str, Any] = {}
    for old in params.names:
        value = read_field(json, old)
        if value is not MISSING:
            found[old] = value
        elif params.missing == "fail":
            raise NodeError(f"there is no field {old!r}", code="node.rename_missing", hint="Correct `names`.")
    # Names that change inside their object keep their place; others are taken out and put where they go.
    inside: dict[tuple[str, ...], dict[str, str]] = {}
    moved: dict[str, str] = {}
    for old in found:
        (*before, name), (*after, new) = split_path(old), split_path(params.names[old])
        parent: Any = read_field(json, _join(before)) if before else json
        if before == after and isinstance(parent, dict):
            inside.setdefault(tuple(before), {})[name] = new
        else:
            moved[old] = params.names[old]
    # From behind, so that the indexes of a list stay right.
    for old in sorted(moved, key=_place, reverse=True):
        json = without_field(json, old)
    for before in sorted(inside, key=len, reverse=True):
        parent = read_field(json, _join(before)) if before else json
        if not isinstance(parent, dict):
            continue
        renamed = _renamed(cast("JsonObject", parent), inside[before].get, params)
        json = with_field(json, _join(before), renamed) if before else renamed
    for old, new in moved.items():
        if (there := read_field(json, new)) is not MISSING:
            if params.clash == "fail":
                raise _clash(new)
            if params.clash == "first" and there is not MISSING:
                continue
        json = with_field(json, new, found[old])
    return json


def _place(path: str) -> tuple[tuple[int, int, str], ...]:
    return tuple((0, int(name), "") if name.isdecimal() else (1, 0, name) for name in split_path(path))


def _join(names: tuple[str, ...] | list[str]) -> str:
    return ".".join(name.replace(".", r"\.") for name in names)


def _renamed(fields: JsonObject, new_name: Callable[[str], str | None], params: RenameParams) -> JsonObject:
    made: JsonObject = {}
    for name, value in fields.items():
        new = new_name(name) or name
        if new in made:
            if params.clash == "fail":
                raise _clash(new)
            if params.clash == "first":
                continue
        made[new] = value
    return made


def _clash(name: str) -> NodeError:
    return NodeError(
        f"two fields would be called {name!r}",
        code="node.rename_clash",
        hint="Give one another name, or set `clash` to first or last.",
    )


def _all(value: Any, changes: list[Callable[[str], str]], params: RenameParams) -> Any:
    if isinstance(value, list) and params.deep:
        return [_all(part, changes, params) for part in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("JsonObject", value)
    if params.deep:
        fields = {name: _all(part, changes, params) for name, part in fields.items()}

    def new_name(name: str) -> str:
        if len(name) > _LONGEST_NAME:
            raise NodeError(
                f"a field's name has {len(name)} characters",
                code="node.rename_name",
                hint=f"Patterns and style work on names of up to {_LONGEST_NAME} characters.",
            )
        for change in changes:
            name = change(name)
        return name

    return _renamed(fields, new_name, params)


def _substitution(pattern: Pattern) -> Callable[[str], str]:
    import re2

    compiled = _compiled(pattern.match, pattern.ignore_case)

    def change(name: str) -> str:
        try:
            return compiled.sub(pattern.to, name)
        except (re2.error, IndexError, re.error) as error:
            raise NodeError(
                f"the pattern {pattern.match!r} has no such group as in {pattern.to!r}: {error}",
                code="node.rename_group",
                hint=r"Groups are counted from 1 by their opening brackets; a backslash itself is `\\`.",
            ) from None

    return change


def _words(name: str) -> list[str]:
    """The words of a name, in lower case; a name without letters and digits is one word."""
    return [part.lower() for word in _WORDS.findall(name) for part in _HUMPS.split(word)] or [name]


_STYLES: dict[str, Callable[[str], str]] = {
    "snake": lambda name: "_".join(_words(name)),
    "kebab": lambda name: "-".join(_words(name)),
    "pascal": lambda name: "".join(word.capitalize() for word in _words(name)),
    "camel": lambda name: "".join(word.capitalize() if index else word for index, word in enumerate(_words(name))),
    "lower": str.lower,
    "upper": str.upper,
}
