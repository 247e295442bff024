"""A pytest plugin that writes each test's result at once, so that a run cut off has told what it knew.

One JSON object a line goes to the file that PYAGENT_TEST_REPORT names; PYAGENT_TEST_SELECT may name a file with
the ids to run. Works with pytest 5 and later on Python 3.7 and later.
"""

# ruff: noqa: PTH123, SIM115 - pathlib and `with` would hide that the file stays open while the tests run
import json
import os

_LONGEST = 4000


class _Report:
    def __init__(self):
        self.file = None
        self.phases = {}

    def open(self):
        path = os.environ.get("PYAGENT_TEST_REPORT")
        if path and self.file is None:
            self.file = open(path, "a", encoding="utf-8")

    def write(self, **event):
        if self.file is not None:
            self.file.write(json.dumps(event) + "\n")
            self.file.flush()


_report = _Report()


def pytest_configure(config):
    if not hasattr(config, "workerinput"):  # with pytest-xdist, the controller hears everything
        _report.open()


def pytest_collection_modifyitems(config, items):
    path = os.environ.get("PYAGENT_TEST_SELECT")
    if not path:
        return
    with open(path, encoding="utf-8") as file:
        wanted = set(json.load(file))
    kept = [item for item in items if item.nodeid in wanted]
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in wanted])
    items[:] = kept


def pytest_collection_finish(session):
    _report.write(event="collected", count=len(session.items))


def pytest_collectreport(report):
    if report.failed:
        _report.write(event="result", id=report.nodeid, outcome="error", seconds=0, message=_message(report))


def pytest_runtest_logstart(nodeid, location):
    _report.phases.pop(nodeid, None)
    _report.write(event="start", id=nodeid)


def pytest_runtest_logreport(report):
    state = _report.phases.setdefault(report.nodeid, {"outcome": "passed", "seconds": 0.0, "message": ""})
    state["seconds"] += getattr(report, "duration", 0.0)
    outcome = _outcome(report)
    part = hasattr(report, "context")  # a subtest: only its failure says something of the test
    if outcome in ("failed", "error"):
        if state["outcome"] not in ("failed", "error"):
            state["outcome"], state["message"] = outcome, _message(report)
    elif not part and outcome not in ("passed", "rerun") and state["outcome"] == "passed":
        state["outcome"], state["message"] = outcome, _message(report)
    if outcome == "rerun":
        state["outcome"], state["message"] = "passed", ""
    if report.when == "teardown" and not part:
        _report.phases.pop(report.nodeid, None)
        _report.write(
            event="result",
            id=report.nodeid,
            outcome=state["outcome"],
            seconds=round(state["seconds"], 6),
            message=state["message"],
        )


def pytest_sessionfinish(session, exitstatus):
    _report.write(event="end", exit=int(exitstatus))


def _outcome(report):
    if hasattr(report, "wasxfail"):
        if report.skipped:
            return "xfailed"
        if report.passed:
            return "xpassed" if report.when == "call" else "passed"
    if report.outcome == "failed":
        return "failed" if report.when == "call" else "error"
    return report.outcome


def _message(report):
    longrepr = getattr(report, "longrepr", None)
    if longrepr is None:
        return str(getattr(report, "wasxfail", ""))[:_LONGEST]
    if isinstance(longrepr, tuple) and len(longrepr) == 3:
        return str(longrepr[2])[:_LONGEST]
    crash = getattr(longrepr, "reprcrash", None)
    head = getattr(crash, "message", "") or ""
    text = str(longrepr)
    if len(text) > _LONGEST:
        text = text[: _LONGEST // 2] + "\n[...]\n" + text[-_LONGEST // 2 :]
    return (head[:_LONGEST] + "\n\n" + text) if head and head not in text else text
