"""The guide about files, mail and databases is tried: its graphs run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pyagent.runtime.engine import Engine
from pyagent.testing import MemoryStore
from smtp_server import mail_server

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "files-and-databases.md"


async def test_files_go_into_a_database_and_from_there_into_a_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    stock, report = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "north.csv").write_text("code;name;amount\n007;Nuts;12\n012;Bolts;3\n")
    (tmp_path / "south.csv").write_text("code,name,amount\n012,Bolts,4\n")
    store = MemoryStore()
    await store.open()
    engine = Engine(store)

    async with mail_server() as server:
        credential = {"host": "127.0.0.1", "port": server.port, "security": "none", "from": "reports@example.org"}
        monkeypatch.setenv("PYAGENT_CREDENTIAL_MAIL", json.dumps(credential))
        kept = await engine.run(stock, {"folder": str(tmp_path)})
        sent = await engine.run(report, {"folder": str(tmp_path), "to": "ann@example.org"})

    assert kept.status == "completed", kept.error
    assert await engine.outputs(kept.id) == {"low": [{"code": "012", "amount": 4}]}
    assert sent.status == "completed", sent.error
    assert await engine.outputs(sent.id) == {"answer": "250 2.0.0 Taken"}
    [mail] = server.mails
    assert mail.message["subject"] == "Stock, 2 articles"
    assert [part.get_filename() for part in mail.message.iter_attachments()] == ["stock.xlsx"]
