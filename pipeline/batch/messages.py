"""Messages between the parent and its workers: settings once, then series and outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hounsfield.preprocessing.parallel import available_processors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hounsfield.pipeline.analysis.growth.prior import Prior
    from hounsfield.pipeline.assessment.clinical_table import ClinicalTable
    from hounsfield.pipeline.config import RunConfig
    from hounsfield.pipeline.report.schema import ProvenanceDocument, Report
    from hounsfield.preprocessing.codes import Reason
    from hounsfield.preprocessing.series import Series

    AnalyseSeries = Callable[[Series, Prior | None], "SeriesOutput"]
    """Analyses a series beside the earlier study that it is compared with."""

    MakeAnalyser = Callable[["WorkerSettings"], AnalyseSeries]
    """Loads what analysing needs; a function of a module, so that it crosses by pickle."""


class SeriesOutput(Protocol):
    """The output of one series, such as `RenderedReport`."""

    @property
    def report(self) -> Report:
        """The report document."""
        ...

    @property
    def files(self) -> dict[str, bytes]:
        """Content of each output file by its name, the report among them."""
        ...


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """The settings that a worker receives at its start, by pickle.

    Attributes:
        out: The output folder.
        config: The run's configuration.
        provenance: The record that is copied into each report.
        clinical: Clinical facts about patients; None where none were given.
    """

    out: Path
    config: RunConfig
    provenance: ProvenanceDocument
    clinical: ClinicalTable | None = None

    @property
    def threads(self) -> int:
        """CPU threads that a worker's arithmetic may use."""
        return self.config.run.threads or max(1, available_processors() // self.config.run.workers)


@dataclass(frozen=True, slots=True)
class StartFailure:
    """An internal error that kept a worker from loading its models.

    Attributes:
        message: The error's type and words.
        details: The traceback, for the log.
    """

    message: str
    details: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one series.

    Attributes:
        seconds: Seconds from its start to its outcome.
        peak_memory_mb: Peak memory of the worker, in 10^6 bytes.
        report: The report document; None where the series was not analysed.
        partial_folder: Its output under a temporary name, complete and synced to disk.
        reason: Why it was not analysed; None where it was.
        message: One sentence for the ledger.
        details: A traceback for the log, where the failure is an internal error.
    """

    seconds: float
    peak_memory_mb: float = 0.0
    report: Report | None = None
    partial_folder: Path | None = None
    reason: Reason | None = None
    message: str = ""
    details: str = ""
