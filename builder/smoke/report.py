"""What a smoke run found, as values and as the evidence document."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from builder.smoke.brief import Kind

if TYPE_CHECKING:
    from builder.ui import Ui

Outcome = Literal["passed", "failed", "skipped"]
GpuMode = Literal["auto", "none", "require"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """One test. reason: why it failed or was skipped, "" when it passed. seconds: wall clock.

    needs_gpu: whether it can run on a GPU alone.
    """

    check: str
    test: str
    outcome: Outcome
    reason: str
    seconds: float
    needs_gpu: bool


@dataclass(frozen=True, kw_only=True)
class GpuAccess:
    """How a GPU was asked for. arguments: what `docker run` was given; reason: why there is none, else ""."""

    mode: GpuMode
    arguments: tuple[str, ...]
    reason: str


@dataclass(frozen=True, kw_only=True)
class SmokeReport:
    """A finished run: every result, and where the JUnit XML and the evidence lie.

    stack: what the target was held against, "" for nothing. target, name: the kind of target, and what the user
    calls it. image_id: "" where there is none. python: version, executable and platform of the interpreter that ran
    the probes. seconds: wall clock of the run. reused: whether it was an earlier one of the same image and tests.
    """

    stack: str
    target: Kind
    name: str
    image_id: str
    python: dict[str, str]
    gpu: GpuAccess
    results: tuple[Result, ...]
    seconds: float
    junit: Path
    evidence: Path
    reused: bool = False

    def _count(self, outcome: Outcome) -> int:
        return sum(1 for result in self.results if result.outcome == outcome)

    @property
    def passed(self) -> int:
        """Tests that passed."""
        return self._count("passed")

    @property
    def failed(self) -> int:
        """Tests that failed."""
        return self._count("failed")

    @property
    def skipped(self) -> int:
        """Tests that were skipped, each with its reason."""
        return self._count("skipped")

    @property
    def green(self) -> bool:
        """Whether something passed and nothing failed."""
        return self.passed > 0 and self.failed == 0

    def document(self) -> dict[str, Any]:
        """The report as a JSON-ready mapping."""
        return {
            **asdict(self),
            "passed": self.passed,
            "failed": self.failed,
            "skipped": self.skipped,
            "green": self.green,
            "junit": str(self.junit),
            "evidence": str(self.evidence),
        }

    def table(self, ui: Ui) -> None:
        """Show every result and the counts; a reason is cut to 300 characters, the JUnit XML has it whole."""
        rows = []
        for one in self.results:
            words = one.test.removeprefix("test_").replace("_", " ")
            rows.append([one.check, words, one.outcome, f"{one.seconds:.1f}", one.reason.strip()[:300]])
        held = f", held against {self.stack}" if self.stack else ""
        ui.table(f"smoke tests of {self.name}{held}", ["check", "test", "outcome", "seconds", "reason"], rows)
        counts = f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"
        ui.tell(f"{counts}{' (of an earlier run of the same image and tests)' if self.reused else ''}: {self.junit}")
        reasons = [one.reason for one in self.results if one.outcome == "failed"]
        if not reasons:
            return
        from builder.failures import recognise  # noqa: PLC0415 - of a red run alone
        from builder.failures.show import show  # noqa: PLC0415

        if known := recognise(reasons):
            show("known failures in the failed tests", known, ui)
