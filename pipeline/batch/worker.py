"""What a worker process does: load the models once, then analyse the series it is given."""

from __future__ import annotations

import os
import signal
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.pipeline.analysis.timing import forget_peak_memory, peak_memory_mb
from hounsfield.pipeline.batch.output_folder import write_partial_folder
from hounsfield.pipeline.errors import OutputError
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import HounsfieldError, SeriesError
from hounsfield.preprocessing.parallel import available_processors

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path

    from hounsfield.pipeline.analysis.series import Analysis
    from hounsfield.pipeline.assessment.clinical_table import ClinicalTable
    from hounsfield.pipeline.batch.prior_studies import Prior
    from hounsfield.pipeline.config import RunConfig
    from hounsfield.pipeline.report.schema import ProvenanceDocument, Report
    from hounsfield.preprocessing.series import Series

    Analyse = Callable[[Series, Prior | None], Analysis]
    """Takes a series the whole way, beside the earlier study that it is compared with."""

READY = "ready"
"""What a worker says when its models are loaded and it may be timed."""

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
_TORCH_OUT_OF_MEMORY = ("can't allocate memory", "out of memory")


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """What every worker of a run is told at its start; it crosses to it by pickle.

    Attributes:
        out: The output folder.
        prepare: A function of a module: loads what analysing needs and returns the analysis.
        clinical: What is known of the patients.
    """

    out: Path
    config: RunConfig
    provenance: ProvenanceDocument
    prepare: Callable[[WorkOrder], Analyse]
    clinical: ClinicalTable | None = None

    @property
    def threads(self) -> int:
        """How many threads a worker's arithmetic may use."""
        return self.config.run.threads or max(1, available_processors() // self.config.run.workers)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one series.

    Attributes:
        report: The document, where it was analysed.
        partial_folder: The output, written whole under a temporary name.
        reason: Why it was not analysed; None where it was.
        message: One sentence for the ledger.
        details: A traceback for the log, where the failure is a defect of ours.
    """

    seconds: float
    peak_memory_mb: float = 0.0
    report: Report | None = None
    partial_folder: Path | None = None
    reason: Reason | None = None
    message: str = ""
    details: str = ""


def prepare_analysis(order: WorkOrder) -> Analyse:
    """Makes the analysis of a run; what costs seconds to import is imported here, in a worker."""
    from hounsfield.pipeline.analysis.series import prepare

    return prepare(order)


def serve(pipe: Connection, order: WorkOrder) -> None:
    """Loads the models, says `READY`, then answers each series with an `Outcome`.

    It ends with the pipe. An exception is sent instead where the run as a whole cannot go on:
    the models cannot be loaded, or the output place cannot be written.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(order.threads)
    try:
        try:
            analyse = order.prepare(order)
        except HounsfieldError as error:
            pipe.send(error)
            return
        except Exception:  # noqa: BLE001 - without models there is no run: the parent tells
            pipe.send(RuntimeError(traceback.format_exc()))
            return
        pipe.send(READY)
        while True:
            series, prior = pipe.recv()
            pipe.send(_attempt(analyse, series, prior, order.out))
    except (EOFError, BrokenPipeError):
        return  # the parent has gone


def _attempt(
    analyse: Analyse, series: Series, prior: Prior | None, out: Path
) -> Outcome | OutputError:
    """Analyses one series and writes its output; whatever goes wrong becomes its outcome."""
    start = time.perf_counter()
    forget_peak_memory()

    def failed(reason: Reason, message: str, details: str = "") -> Outcome:
        return Outcome(
            time.perf_counter() - start,
            peak_memory_mb(),
            reason=reason,
            message=message,
            details=details,
        )

    try:
        analysis = analyse(series, prior)
        partial = write_partial_folder(out, analysis.files)
    except SeriesError as error:
        return failed(error.reason, error.message)
    except OutputError as error:
        return error
    except MemoryError as error:
        return failed(Reason.OUT_OF_MEMORY, f"More memory was needed than there is: {error}")
    except Exception as error:  # noqa: BLE001 - no defect in one series may end the others
        if any(words in str(error) for words in _TORCH_OUT_OF_MEMORY):
            return failed(Reason.OUT_OF_MEMORY, f"More memory was needed than there is: {error}")
        msg = f"A defect of Hounsfield: {type(error).__name__}; the traceback is in the log."
        return failed(Reason.INTERNAL, msg, traceback.format_exc())
    seconds = time.perf_counter() - start
    return Outcome(seconds, peak_memory_mb(), analysis.report, partial)
