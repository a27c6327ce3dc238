"""A worker process: loads the models once, then analyses one series after another."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.pipeline.analysis.timing import peak_memory_mb, reset_peak_memory
from hounsfield.pipeline.batch.messages import Outcome, StartFailure
from hounsfield.pipeline.batch.output_folder import write_partial_folder
from hounsfield.pipeline.batch.run_log import traceback_without_names
from hounsfield.pipeline.errors import OutputError
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import HounsfieldError, SeriesError
from hounsfield.preprocessing.safety_net import INTERRUPTIONS, is_out_of_memory

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from hounsfield.pipeline.analysis.growth.prior import Prior
    from hounsfield.pipeline.batch.messages import AnalyseSeries, MakeAnalyser, WorkerSettings
    from hounsfield.preprocessing.series import Series

READY = "ready"
"""A worker's message once its models are loaded and its series may be timed."""

_MAX_WORDS = 200
"""A library's message may hold a backtrace."""

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")


def make_analyser(settings: WorkerSettings) -> AnalyseSeries:
    """Load the models of a run into an analyser; imports that take seconds happen here.

    Args:
        settings: The run's settings, as the parent sent them.

    Returns:
        The function that turns a series into its output files.

    Raises:
        UsageError: A model or a guideline is not known, or a weight file is not the published one.
    """
    from hounsfield.pipeline.analysis.series import load_analyser, report_maker

    return report_maker(
        load_analyser(
            settings.config,
            provenance=settings.provenance,
            clinical=settings.clinical,
            threads=settings.threads,
        )
    )


def serve(pipe: Connection, settings: WorkerSettings, make: MakeAnalyser) -> None:
    """Load the models, send `READY`, then answer each series with an `Outcome`.

    It ends with the pipe. Where the run as a whole cannot go on, because the models cannot be
    loaded or the output folder cannot be written, an exception or a `StartFailure` is sent instead.

    Args:
        pipe: The worker's end of the pipe to the parent.
        settings: Output folder, configuration and provenance of the run.
        make: Loads what analysing needs.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(settings.threads)
    try:
        try:
            analyse = make(settings)
        except HounsfieldError as error:
            pipe.send(error)
            return
        except INTERRUPTIONS:
            raise
        except BaseException as error:  # noqa: BLE001 - no models, no run: the parent reports it
            words = " ".join(str(error).split())
            details = traceback_without_names(error)
            pipe.send(StartFailure(f"{type(error).__name__}: {words}", details))
            return
        pipe.send(READY)
        while True:
            series, prior = pipe.recv()
            pipe.send(_attempt(analyse, series, prior, settings.out))
    except (EOFError, BrokenPipeError):
        return  # the parent has gone


def _attempt(
    analyse: AnalyseSeries, series: Series, prior: Prior | None, out: Path
) -> Outcome | OutputError:
    """Analyse one series and write its output; any error becomes its outcome."""
    start = time.perf_counter()
    reset_peak_memory()

    def failed(reason: Reason, message: str, details: str = "") -> Outcome:
        return Outcome(
            time.perf_counter() - start,
            peak_memory_mb(),
            reason=reason,
            message=message,
            details=details,
        )

    try:
        output = analyse(series, prior)
        partial = write_partial_folder(out, output.files)
    except SeriesError as error:
        return failed(error.reason, error.sentence_for(series.path))
    except OutputError as error:
        return error
    except INTERRUPTIONS:
        raise
    except BaseException as error:  # noqa: BLE001 - no error in one series may end the others
        if is_out_of_memory(error):
            return failed(Reason.OUT_OF_MEMORY, _out_of_memory_sentence(error))
        msg = f"Internal error: {type(error).__name__}; the traceback is in the log."
        return failed(Reason.INTERNAL, msg, traceback_without_names(error, names=_names_of(series)))
    seconds = time.perf_counter() - start
    return Outcome(seconds, peak_memory_mb(), output.report, partial)


def _names_of(series: Series) -> set[str]:
    """The folders and files of a series, by path and by name."""
    paths = {source.path for source in series.sources} | {Path(series.path)}
    members = {source.entry.name for source in series.sources if source.entry is not None}
    names = {path.name for path in paths} | {path.parent.name for path in paths}
    return names | {str(path) for path in paths} | members


def _out_of_memory_sentence(error: BaseException) -> str:
    """One sentence, with the library's own words: they often say how much it asked for."""
    words = " ".join(str(error).split())[:_MAX_WORDS]
    return f"More memory was needed than there is: {words or type(error).__name__}"
