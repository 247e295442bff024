"""`python -m unittest` that writes each test's result at once; see `pyagent_pytest_report` for the form.

Started with `python -m`, so that the working directory is importable, as with `python -m unittest`.
"""

# ruff: noqa: PTH123, SIM115 - pathlib and `with` would hide that the file stays open while the tests run
import json
import os
import sys
import time
import traceback
import unittest

_LONGEST = 4000


class _Result(unittest.TextTestResult):
    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self._file = open(os.environ["PYAGENT_TEST_REPORT"], "a", encoding="utf-8")
        self._state = ("passed", "")
        self._started = 0.0

    def _write(self, **event):
        self._file.write(json.dumps(event) + "\n")
        self._file.flush()

    def startTest(self, test):
        super().startTest(test)
        self._state, self._started = ("passed", ""), time.perf_counter()
        self._current = test
        self._write(event="start", id=test.id())

    def stopTest(self, test):
        super().stopTest(test)
        self._emit(test.id(), self._state, time.perf_counter() - self._started)
        self._current = None

    def _emit(self, name, state, seconds):
        self._write(event="result", id=name, outcome=state[0], seconds=round(seconds, 6), message=state[1])

    def _set(self, test, outcome, message=""):
        if getattr(self, "_current", None) is None:  # setUpClass, setUpModule: not inside a test
            self._emit(test.id(), (outcome, message), 0.0)
        elif self._state[0] not in ("failed", "error"):
            self._state = (outcome, message)

    def addError(self, test, err):
        super().addError(test, err)
        self._set(test, "error", _text(err))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._set(test, "failed", _text(err))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if not hasattr(test, "test_case"):  # a subtest: only its failure says something of the test
            self._set(test, "skipped", str(reason)[:_LONGEST])

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._set(test, "xfailed", _text(err))

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._set(test, "xpassed")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._set(test, "failed" if isinstance(err[1], test.failureException) else "error", _text(err))


def _text(err):
    text = "".join(traceback.format_exception(*err))
    return text if len(text) <= _LONGEST else text[: _LONGEST // 2] + "\n[...]\n" + text[-_LONGEST // 2 :]


def _flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _flatten(test)
        else:
            yield test


class _Program(unittest.TestProgram):
    def createTests(self, *arguments, **named):
        super().createTests(*arguments, **named)
        path = os.environ.get("PYAGENT_TEST_SELECT")
        if path:
            with open(path, encoding="utf-8") as file:
                wanted = set(json.load(file))
            self.test = unittest.TestSuite(test for test in _flatten(self.test) if test.id() in wanted)
        with open(os.environ["PYAGENT_TEST_REPORT"], "a", encoding="utf-8") as file:
            file.write(json.dumps({"event": "collected", "count": self.test.countTestCases()}) + "\n")


if __name__ == "__main__":
    program = _Program(
        module=None,
        argv=["python -m unittest", *sys.argv[1:]],
        testRunner=unittest.TextTestRunner(resultclass=_Result, verbosity=2),
        exit=False,
    )
    with open(os.environ["PYAGENT_TEST_REPORT"], "a", encoding="utf-8") as end:
        end.write(json.dumps({"event": "end", "exit": 0 if program.result.wasSuccessful() else 1}) + "\n")
    sys.exit(not program.result.wasSuccessful())
