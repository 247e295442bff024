"""Errors of databases, as errors for people with a place in the statement."""

from __future__ import annotations

import re
from typing import Any

from pyagent.sdk import NodeError, NodeTimeout, Where

_BIND = re.compile(r"(?<![:\w\\]):(\w+)(?!:)|\\:")
"""What SQLAlchemy's `text()` takes for a parameter, or for an escaped colon."""
_CONNECTION_STATES = ("08", "57P", "53300", "28", "3D")


class SqlError(NodeError):
    """The database refuses."""

    code = "node.sql"
    hint = "The database's words say why. Nothing was changed."


class SqlConnect(SqlError):
    """The database cannot be reached or opened."""

    code = "node.sql_connect"
    hint = "Check the credential, the path, and that the database runs."


class SqlStatement(SqlError):
    """The statement is no SQL, or names what is not there."""

    code = "node.sql_statement"
    hint = "Correct `statement`. Nothing was changed."


class SqlValues(SqlError):
    """The values and the statement, or the columns, do not fit together."""

    code = "node.sql_values"
    hint = "Correct `values`. Nothing was changed."


class SqlTable(SqlError):
    """There is no such table or column."""

    code = "node.sql_table"
    hint = "Correct `table` and `columns`. Nothing was changed."


class SqlConstraint(SqlError):
    """A row breaks a rule of the table."""

    code = "node.sql_constraint"
    hint = "Correct the row, or use `mode: upsert`. Nothing was changed."


class SqlReadOnly(SqlError):
    """A query wanted to write."""

    code = "node.sql_read_only"
    hint = "`mode: query` only reads; use `mode: execute`."


class SqlLocked(SqlError):
    """Another program holds the database."""

    code = "node.sql_locked"
    hint = "Nothing was changed; try again, or raise `timeout`."


class SqlTooSlow(SqlError):
    """A statement took longer than `timeout`."""

    code = "node.sql_timeout"
    hint = "It was stopped and nothing was changed. Make it faster, or raise `timeout`."


class SqlTooMany(SqlError):
    """The query gives more rows than allowed."""

    code = "node.sql_rows"
    hint = "Add a LIMIT to the statement, or raise `max_rows`."


class SqlUnknown(NodeTimeout):
    """The connection broke while the transaction was committed."""

    code = "node.sql_unknown"
    hint = "Look into the database: it has either all of the changes or none."


def sql_error(error: Any, statement: str = "", *, prefix: int = 0, item: int | None = None) -> SqlError:
    """The error for what SQLAlchemy raised; never with values or passwords in it.

    `prefix` is how many characters the driver put before the statement.
    """
    original: Any = getattr(error, "orig", None) or error
    diagnosis: Any = getattr(original, "diag", None)
    state = str(getattr(original, "sqlstate", None) or "")
    words = str(getattr(diagnosis, "message_primary", None) or original).strip().split("\n")[0]
    place = _place(statement, words, getattr(diagnosis, "statement_position", None), prefix)
    kind = _kind(error, words, state)
    details: dict[str, Any] = {}
    if state:
        details["sqlstate"] = state
    if item is not None:
        details["item"] = item
        words = f"item {item}: {words}"
    hint = getattr(diagnosis, "message_hint", None)
    return kind(words, where=place, details=details, hint=f"{hint} {kind.hint}" if hint else None)


def _kind(error: Any, words: str, state: str) -> type[SqlError]:
    from sqlalchemy import exc

    if "readonly database" in words or state == "25006":
        return SqlReadOnly
    if "database is locked" in words or "table is locked" in words or state in ("55P03", "40001", "40P01"):
        return SqlLocked
    if isinstance(error, exc.IntegrityError):
        return SqlConstraint
    if is_broken(error):
        return SqlConnect
    if not isinstance(error, exc.DBAPIError) or isinstance(error, exc.DataError) or state.startswith("22"):
        return SqlValues
    if state.startswith("42") or (not state and not isinstance(error, exc.InternalError)):
        return SqlStatement
    return SqlError


def is_broken(error: Any) -> bool:
    """Whether the connection is gone, so that nobody knows what the last statement did."""
    original: Any = getattr(error, "orig", None) or error
    if getattr(error, "connection_invalidated", False):
        return True
    state = str(getattr(original, "sqlstate", None) or "")
    if state:
        return state.startswith(_CONNECTION_STATES)
    words = str(original)
    return isinstance(original, OSError) or any(
        sign in words
        for sign in ("connection", "unable to open database", "file is not a database", "disk image is malformed")
    )


def _place(statement: str, words: str, position: Any, prefix: int) -> Where | None:
    """Line and column in the statement, where the database tells."""
    if not statement:
        return None
    if position is not None and str(position).isdigit():
        offset = _offset(statement, int(position) - 1 - prefix)
    elif found := re.search(r'near "([^"]+)"', words):
        token = rf"(?<!\w){re.escape(found[1])}(?!\w)"
        hits = [hit.start() for hit in re.finditer(token, statement)]
        offset = hits[0] if len(hits) == 1 else None
    else:
        offset = None
    if offset is None:
        return Where(field="with.statement")
    before = statement[:offset]
    return Where(field="with.statement", line=before.count("\n") + 1, column=offset - (before.rfind("\n") + 1) + 1)


def _offset(statement: str, sent: int) -> int | None:
    """Where a character of what was sent (`$1` for `:name`) stands in the statement as written."""
    numbers: dict[str, int] = {}
    at = length = 0
    for found in _BIND.finditer(statement):
        if sent < length + found.start() - at:
            break
        length += found.start() - at
        name = found[1]
        put = 1 if name is None else len(f"${numbers.setdefault(name, len(numbers) + 1)}")
        if sent < length + put:
            return found.start()
        length += put
        at = found.end()
    offset = at + sent - length
    return offset if 0 <= offset <= len(statement) else None


def bind_names(statement: str) -> list[str]:
    """The names of the statement's parameters."""
    return list(dict.fromkeys(found[1] for found in _BIND.finditer(statement) if found[1]))
