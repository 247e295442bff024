"""The schema of the SQLite store and its migrations, forward only, by `PRAGMA user_version`.

Times are integers, microseconds since 1970 in UTC. Columns of type BLOB hold payloads in the codec's form. What changes
with every commit lies apart from a run's inputs (`run_state`), so that a commit does not rewrite them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from pyagent.errors import StoreError

APPLICATION_ID = 0x50794167
"""`PyAg`: marks the file as ours, so that no other program's database is migrated by mistake."""

_FIRST = """
CREATE TABLE graphs (
  hash TEXT PRIMARY KEY,
  graph_id TEXT NOT NULL,
  put INTEGER NOT NULL,  -- grows with every put: the latest version has the greatest
  text BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX graphs_by_put ON graphs (put);
CREATE INDEX graphs_by_id ON graphs (graph_id, put);

CREATE TABLE runs (
  run INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of creation; never used again
  id TEXT NOT NULL UNIQUE,
  graph_id TEXT NOT NULL,
  graph_hash TEXT NOT NULL,
  trigger TEXT NOT NULL,
  inputs BLOB NOT NULL,
  production INTEGER NOT NULL,
  key TEXT,
  key_window INTEGER NOT NULL,
  parent_run TEXT,
  parent_step TEXT,
  forked_from TEXT,
  owner TEXT NOT NULL,
  actor TEXT NOT NULL,
  semantics INTEGER NOT NULL,
  labels BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX runs_by_graph ON runs (graph_id, run);

CREATE TABLE run_state (
  run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
  status TEXT NOT NULL DEFAULT 'queued',
  started_at INTEGER,
  ended_at INTEGER,
  updated_at INTEGER NOT NULL,
  wake_at INTEGER,
  outputs BLOB,
  error BLOB,
  log_length INTEGER NOT NULL DEFAULT 0,
  step_count INTEGER NOT NULL DEFAULT 0,
  seen INTEGER NOT NULL DEFAULT 0,
  lease_owner TEXT,
  lease_token INTEGER NOT NULL DEFAULT 0,
  lease_expires_at INTEGER,
  adoptions INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX runs_alive ON run_state (status, run) WHERE status IN ('queued', 'running', 'waiting', 'paused');

CREATE TABLE start_keys (
  owner TEXT NOT NULL,
  graph_id TEXT NOT NULL,
  key TEXT NOT NULL,
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  PRIMARY KEY (owner, graph_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX start_keys_by_run ON start_keys (run);

CREATE TABLE log (
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  step TEXT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE steps (
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  step TEXT NOT NULL,
  position INTEGER NOT NULL,  -- order of first commit
  node TEXT NOT NULL,
  scope TEXT NOT NULL,
  status TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  items_in INTEGER NOT NULL,
  items_out BLOB,
  error BLOB,
  wait BLOB,
  signal_name TEXT,  -- what an unaddressed signal is matched by
  signal_key TEXT,
  PRIMARY KEY (run, step)
) STRICT, WITHOUT ROWID;
CREATE INDEX steps_by_signal ON steps (signal_name, signal_key) WHERE signal_name IS NOT NULL;

CREATE TABLE events (
  cursor INTEGER PRIMARY KEY AUTOINCREMENT,  -- one writer at a time: the order of commits
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  kind TEXT NOT NULL,
  step TEXT NOT NULL,
  at INTEGER NOT NULL,
  data BLOB NOT NULL
) STRICT;
CREATE INDEX events_by_run ON events (run, cursor);

CREATE TABLE messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER REFERENCES runs ON DELETE CASCADE,
  kind TEXT NOT NULL,
  step TEXT NOT NULL,
  name TEXT NOT NULL,
  key TEXT NOT NULL,
  body BLOB NOT NULL,
  actor TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX messages_by_run ON messages (run, id) WHERE run IS NOT NULL;
CREATE INDEX signals ON messages (name, key, id) WHERE run IS NULL;

CREATE TABLE blobs (
  digest TEXT NOT NULL UNIQUE,
  size INTEGER NOT NULL,
  data BLOB  -- NULL: in a file beside the database
) STRICT;

CREATE TABLE blob_refs (
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  digest TEXT NOT NULL REFERENCES blobs (digest),
  PRIMARY KEY (run, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_refs_by_digest ON blob_refs (digest);

CREATE TABLE checkpoints (
  thread TEXT NOT NULL,
  namespace TEXT NOT NULL,
  id TEXT NOT NULL,  -- grows with time within a thread
  parent TEXT,
  run TEXT,  -- `run_id` of the metadata
  checkpoint BLOB NOT NULL,  -- without the values of channels
  metadata BLOB NOT NULL,
  PRIMARY KEY (thread, namespace, id)
) STRICT;
CREATE INDEX checkpoints_by_run ON checkpoints (run) WHERE run IS NOT NULL;

CREATE TABLE checkpoint_channels (
  thread TEXT NOT NULL,
  namespace TEXT NOT NULL,
  channel TEXT NOT NULL,
  version TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (thread, namespace, channel, version)
) STRICT;

CREATE TABLE checkpoint_writes (
  thread TEXT NOT NULL,
  namespace TEXT NOT NULL,
  id TEXT NOT NULL,
  task TEXT NOT NULL,
  position INTEGER NOT NULL,
  path TEXT NOT NULL,
  channel TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (thread, namespace, id, task, position)
) STRICT;
"""

_ACTIVATIONS = """
CREATE TABLE activations (
  graph_id TEXT PRIMARY KEY,
  graph_hash TEXT NOT NULL REFERENCES graphs (hash),
  actor TEXT NOT NULL,
  at INTEGER NOT NULL,
  since INTEGER NOT NULL,
  claims TEXT NOT NULL,  -- one a line
  problems BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""

_SUCCESSION = """
ALTER TABLE runs ADD COLUMN continues TEXT;
CREATE UNIQUE INDEX runs_by_continues ON runs (continues) WHERE continues IS NOT NULL;

ALTER TABLE run_state ADD COLUMN slot TEXT;
ALTER TABLE run_state ADD COLUMN slots INTEGER NOT NULL DEFAULT 1;
CREATE INDEX runs_by_slot ON run_state (slot, run)
  WHERE slot IS NOT NULL AND status IN ('queued', 'running', 'waiting', 'paused');

CREATE TABLE posted (  -- messages that a run sends once, whatever becomes of its tries
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  once TEXT NOT NULL,
  message INTEGER NOT NULL,
  PRIMARY KEY (run, once)
) STRICT, WITHOUT ROWID;
"""

_BATCHES = """
CREATE TABLE batches (  -- what commits add to logs, events and steps: see `batches`
  place INTEGER PRIMARY KEY,  -- one writer at a time: the order of commits
  run INTEGER REFERENCES runs ON DELETE CASCADE,  -- NULL: the newest ones were of a run that is deleted
  log_end INTEGER NOT NULL,  -- the length of the run's log with this batch
  steps BLOB,
  events BLOB,
  entries BLOB  -- last, since the longest: the others are read without it
) STRICT;
CREATE INDEX batches_by_run ON batches (run);

CREATE TABLE waits (  -- the steps that wait for a signal
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  step TEXT NOT NULL,
  name TEXT NOT NULL,
  key TEXT NOT NULL,
  PRIMARY KEY (run, step)
) STRICT, WITHOUT ROWID;
CREATE INDEX waits_by_signal ON waits (name, key);

ALTER TABLE run_state DROP COLUMN step_count;
ALTER TABLE run_state ADD COLUMN waited INTEGER NOT NULL DEFAULT 0;  -- whether it ever had a row in `waits`
CREATE INDEX runs_by_wake ON run_state (wake_at) WHERE wake_at IS NOT NULL;
"""

_RETENTION = """
CREATE TABLE spent_keys (  -- start keys of deleted runs
  owner TEXT NOT NULL,
  graph_id TEXT NOT NULL,
  key TEXT NOT NULL,
  run TEXT NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (owner, graph_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX spent_keys_by_end ON spent_keys (until);

CREATE TABLE forgotten_events (  -- one row, or none
  until INTEGER NOT NULL  -- a cursor
) STRICT;
"""

_LINE = """
ALTER TABLE run_state ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run_state ADD COLUMN fairness TEXT NOT NULL DEFAULT '';
ALTER TABLE run_state ADD COLUMN weight INTEGER NOT NULL DEFAULT 1;
UPDATE run_state SET fairness = (SELECT r.graph_id FROM runs r WHERE r.run = run_state.run);
CREATE INDEX runs_queued ON run_state (priority, fairness, run, slot)
  WHERE status = 'queued' AND lease_owner IS NULL;
CREATE INDEX runs_queued_by_slot ON run_state (priority, fairness, slot, slots)
  WHERE status = 'queued' AND lease_owner IS NULL AND slot IS NOT NULL;
CREATE INDEX runs_busy ON run_state (slot) WHERE slot IS NOT NULL
  AND status IN ('queued', 'running', 'waiting', 'paused') AND (status != 'queued' OR lease_owner IS NOT NULL);
CREATE INDEX runs_taken ON run_state (lease_expires_at) WHERE status = 'queued' AND lease_owner IS NOT NULL;

CREATE TABLE line (  -- groups with runs that nobody has begun; now and then one that has none any more
  place INTEGER PRIMARY KEY,  -- the lowest of a priority is in front
  priority INTEGER NOT NULL,
  fairness TEXT NOT NULL,
  begun INTEGER NOT NULL DEFAULT 0  -- in this turn
) STRICT;
CREATE UNIQUE INDEX line_by_group ON line (priority, fairness);
CREATE INDEX line_in_order ON line (priority, place);
INSERT INTO line (priority, fairness)
  SELECT priority, fairness FROM run_state WHERE status = 'queued' AND lease_owner IS NULL
  GROUP BY priority, fairness ORDER BY min(run);

-- Whatever makes a run queued, its group stands in line: no run can be forgotten.
CREATE TRIGGER line_for_new_runs AFTER INSERT ON run_state WHEN NEW.status = 'queued' AND NEW.lease_owner IS NULL
BEGIN
  INSERT OR IGNORE INTO line (priority, fairness) VALUES (NEW.priority, NEW.fairness);
END;
CREATE TRIGGER line_for_old_runs AFTER UPDATE OF status, lease_owner ON run_state
WHEN NEW.status = 'queued' AND NEW.lease_owner IS NULL
BEGIN
  INSERT OR IGNORE INTO line (priority, fairness) VALUES (NEW.priority, NEW.fairness);
END;
"""


_DELTAS = """
-- The version of the same channel that a value is kept as the difference to; it is never one itself.
ALTER TABLE checkpoint_channels ADD COLUMN base TEXT;
"""


def _into_batches(connection: sqlite3.Connection) -> None:
    from pyagent.store.sqlite import rebatch  # only a file of schema 3 needs it

    rebatch.rebatch(connection)


_OUTSIDE = """
ALTER TABLE blobs ADD COLUMN location TEXT;
CREATE TABLE blob_places (base TEXT PRIMARY KEY, folder TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""
"""Blobs outside of the database: where each lies, and the database's own folder in each place that it has used."""

_SEALED = """
ALTER TABLE blobs ADD COLUMN sealed_digest BLOB;
"""
"""Of a sealed blob, whose `digest` is what only the vault's holder can tell from the content's: that one, sealed."""

MIGRATIONS: tuple[str | Callable[[sqlite3.Connection], None], ...] = (
    *(_FIRST, _ACTIVATIONS, _SUCCESSION),
    *(_BATCHES, _into_batches, _RETENTION, _LINE, _OUTSIDE, _DELTAS, _SEALED),
)
"""Script n takes the schema from version n to n + 1. Scripts that have been released are never edited."""


def version(connection: sqlite3.Connection) -> int:
    """The version of the schema in the file; 0 for a new one."""
    return connection.execute("PRAGMA user_version").fetchone()[0]


def check(connection: sqlite3.Connection, path: str) -> bool:
    """Whether the file is up to date. Raises `StoreError` if it is newer than this program or not ours at all."""
    found = version(connection)
    if found > len(MIGRATIONS):
        raise StoreError(
            f"The store {path} has schema {found}; this program knows up to {len(MIGRATIONS)}.",
            code="store.schema_newer",
            hint="A newer PyAgent has used it: upgrade this one, or give another PYAGENT_STORE.",
            details={"schema": found, "known": len(MIGRATIONS)},
        )
    if connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
        return found == len(MIGRATIONS)
    if found or connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
        raise StoreError(
            f"{path} is another program's database.",
            code="store.foreign",
            hint="Give PYAGENT_STORE the path of a file that does not exist yet.",
        )
    return False


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring the schema up to date, inside the caller's transaction."""
    if check(connection, path):  # another process was faster
        return
    for script in MIGRATIONS[version(connection) :]:
        if not isinstance(script, str):
            script(connection)
            continue
        for statement in _statements(script):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _statements(script: str) -> list[str]:
    """The script's statements one by one: `executescript` would commit the transaction it runs in."""
    found: list[str] = []
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            found.append(text)
            text = ""
    return found
