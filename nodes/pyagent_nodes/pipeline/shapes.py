"""What travels on the edges between the pipeline's nodes: small, typed, and enough to make the files again."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pyagent.sdk import BlobRef, JsonObject

Outcome = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed"]


class Shape(BaseModel):
    """Base of the records; they are frozen, and an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def as_json(self) -> JsonObject:
        """The record as a JSON object."""
        return self.model_dump(mode="json")


class Blob(Shape):
    """A reference to a payload in the blob store."""

    digest: str
    size: int
    name: str = ""
    media_type: str = "application/octet-stream"

    @property
    def ref(self) -> BlobRef:
        """The reference as the SDK has it."""
        return BlobRef(self.digest, self.size, self.name, self.media_type)

    @classmethod
    def of(cls, ref: BlobRef) -> Blob:
        """The record of a reference."""
        return cls.model_validate(ref.as_dict())


class Source(Shape):
    """A repository as it was fetched."""

    repository: str
    """What the user asked for."""
    kind: Literal["path", "package"]
    name: str
    version: str = ""
    """Of a package: its release. Of a path: what its tags say, or empty."""
    sha256: str
    """Of the package's archive; of a path: of the packed copy."""
    archive: Blob
    files: int
    size: int
    """Bytes of all files."""
    path: str
    """The pristine copy on the machine that fetched it."""
    seconds: float = 0


class Project(Shape):
    """What a repository says of itself."""

    name: str
    version: str = ""
    summary: str = ""
    licence: str = ""
    languages: dict[str, int]
    """Lines by language."""
    files: int
    lines: int
    size: int
    """Bytes."""
    packages: list[str]
    """Importable packages and modules, as paths from the root."""
    requires_python: str = ""
    build_backend: str = ""
    dependencies: list[str]
    test_requirements: list[str]
    """Requirements that the tests need, beside the package's own; `-r FILE` for a requirements file."""
    test_extras: list[str]
    """The package's extras that the tests need."""
    test_groups: list[str]
    """Dependency groups (PEP 735) that the tests need."""
    runner: Literal["pytest", "unittest", "none"]
    test_command: str = ""
    """As its documentation or configuration writes it; empty without tests."""
    test_files: int
    evidence: dict[str, str]
    """Where each finding comes from."""
    seconds: float = 0


class Licence(Shape):
    """The licence of an installed package, by its own metadata."""

    package: str
    version: str
    licence: str
    """Empty where the metadata names none."""


class Environment(Shape):
    """A virtual environment, by what makes it."""

    key: str
    """Hash of everything that decides its content."""
    python: str
    """Version of the interpreter, `3.11.7`."""
    lock: list[str]
    """Exact requirements, the package itself left out."""
    package: Literal["in place", "copied", "not installed"]
    """How the package itself is installed: imported from the work tree, from a copy, or only found beside its tests."""
    tool: str
    """`uv 0.13.9`."""
    licences: Blob
    """JSON list of `Licence`: all packages installed."""
    reused: bool
    """The lock list came from the cache."""
    seconds: float = 0


class FileChange(Shape):
    """One file of a patch."""

    path: str
    hunks: int
    added: int
    removed: int


class Patch(Shape):
    """Changes to the fetched tree, and which of them were taken back."""

    blob: Blob
    """All hunks, as JSON (see `patches`)."""
    diff: Blob
    """What is in force, as a unified diff."""
    files: list[FileChange]
    """Files with a change in force."""
    reverted: list[str]
    """Hunks taken back, `path#number` (from 1)."""
    notes: list[str] = Field(default_factory=list)
    """Why hunks were taken back, one line each."""
    round: int = 0
    """How often something was taken back."""
    seconds: float = 0


class TestCase(Shape):
    """One test's result."""

    __test__ = False
    id: str
    outcome: Outcome
    seconds: float = 0
    message: str = ""


class Tests(Shape):
    """A run of the test suite; the results of each test are in a blob."""

    status: Literal["passed", "failed", "no tests", "timeout", "broken"]
    """`broken`: the runner itself failed, e.g. by a usage error."""
    runner: str
    command: str
    counts: dict[str, int]
    total: int
    failing: list[TestCase]
    """The first fifty that failed or had an error."""
    regressions: list[str] = Field(default_factory=list)
    """Tests that passed in the baseline and do not now."""
    fixed: list[str] = Field(default_factory=list)
    """Tests that did not pass in the baseline and do now."""
    results: Blob
    """JSON list of `TestCase`."""
    log: Blob
    """What the runner printed, its last megabyte."""
    running: str = ""
    """The test that ran when the suite was cut off."""
    error: dict[str, Any] = Field(default_factory=dict)
    """`{code, message, hint}` of a run that was cut off or broke."""
    exit_code: int | None = None
    seconds: float = 0


Severity = Literal["critical", "high", "medium", "low", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")


class Finding(Shape):
    """Something that an audit found."""

    check: Literal["code", "secrets", "dependencies", "licences"]
    rule: str
    """The rule's stable name, e.g. `B602`, `aws-access-key`, `GHSA-…`."""
    severity: Severity
    message: str
    """What is wrong, in a sentence; never holds a secret."""
    file: str = ""
    """From the repository's root; empty for a dependency."""
    line: int = 0
    """From 1; 0 where there is none."""
    more: str = ""
    """Address of an explanation."""


class Check(Shape):
    """One part of an audit, done or not."""

    name: Literal["code", "secrets", "dependencies", "licences"]
    status: Literal["checked", "not checked"]
    reason: str = ""
    """Why it was not checked."""
    by: str = ""
    """The program or source that checked."""
    findings: int = 0
    seconds: float = 0


class Audit(Shape):
    """What an audit found."""

    counts: dict[Severity, int]
    total: int
    findings: Blob
    """JSON list of `Finding`, the gravest first."""
    checks: list[Check]
    seconds: float = 0


class Docs(Shape):
    """Generated documentation."""

    archive: Blob
    """`.tar.gz` of the pages."""
    index: str
    """The first page, from the archive's root."""
    pages: int
    modules: int
    classes: int
    functions: int
    documented: float
    """Share of public modules, classes and functions with a docstring, 0 to 1."""
    unparsed: list[str]
    """Files that are no valid Python."""
    seconds: float = 0
