"""A run over many studies: from the inputs to the ledger, the reports and the tables."""

from __future__ import annotations

import hashlib
import logging
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from hounsfield.pipeline.assessment.clinical_table import (
    read_clinical,
    unknown_keys,
    unknown_keys_message,
)
from hounsfield.pipeline.batch.csv_tables import write_tables
from hounsfield.pipeline.batch.index_page import write_index
from hounsfield.pipeline.batch.ledger import Ledger
from hounsfield.pipeline.batch.messages import WorkerSettings
from hounsfield.pipeline.batch.output_folder import remove_partials
from hounsfield.pipeline.batch.pool import WorkerPool
from hounsfield.pipeline.batch.run_log import log_to_folder
from hounsfield.pipeline.batch.scheduler import StudyScheduler
from hounsfield.pipeline.batch.work_plan import make_plan, require_separate_folders
from hounsfield.pipeline.batch.worker import make_analyser as load_analyser
from hounsfield.pipeline.errors import OutputHeldError, writing_to
from hounsfield.pipeline.report.provenance import find_configured_models, provenance_of
from hounsfield.preprocessing.files.atomic_write import private_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hounsfield.pipeline.assessment.clinical_table import ClinicalTable
    from hounsfield.pipeline.batch.messages import MakeAnalyser
    from hounsfield.pipeline.batch.progress import Progress
    from hounsfield.pipeline.batch.run_summary import RunOptions, RunSummary
    from hounsfield.pipeline.batch.work_plan import Plan
    from hounsfield.pipeline.config import RunConfig

LOCK_NAME = ".lock"
LOGS_FOLDER = "logs"
_log = logging.getLogger(__name__)


def run(
    inputs: Sequence[Path],
    *,
    out: Path,
    config: RunConfig,
    progress: Progress,
    options: RunOptions,
    clinical: Path | None = None,
    make_analyser: MakeAnalyser = load_analyser,
) -> RunSummary:
    """Analyse every study of the inputs that `out` does not hold yet.

    Args:
        inputs: Files, folders and archives, in any mixture.
        out: Output folder, created if missing.
        config: Models, operating point, guidelines, workers and timeout.
        progress: Shows progress on standard error.
        options: Which finished work is done again.
        clinical: A CSV with clinical facts about the patients; None where there is none.
        make_analyser: Loads, in each worker process, what analysing needs; a function of a module.

    Returns:
        Counts of studies, series and findings, and the first failures.

    Raises:
        UsageError: An input is missing, or a model is not known.
        OutputHeldError: Another run holds `out`.
        OutputError: `out` cannot be written or is full; what was finished is kept.
        KeyboardInterrupt: The run was stopped; what was finished is kept.
    """
    require_separate_folders(inputs, out)
    table, clinical_sha256 = _clinical(clinical)
    provenance = provenance_of(
        find_configured_models(config.models), config, clinical_sha256=clinical_sha256
    )
    with (
        private_files() if config.run.private_output else nullcontext(),
        _held(out),
        log_to_folder(out / LOGS_FOLDER),
        Ledger(out) as ledger,
    ):
        _log.info("version %s", provenance.hounsfield_version)
        remove_partials(out)
        progress.say("Looking through the input")
        plan = make_plan(
            inputs,
            kernel=config.series.kernel,
            out=out,
            ledger=ledger,
            compare_with_prior=config.report.compare_with_prior,
            on_file=progress.files_examined,
        )
        if table is not None:
            _check_clinical(table, plan, progress)
        pool = WorkerPool(
            WorkerSettings(out.resolve(), config, provenance, table),
            size=config.run.workers,
            timeout_s=config.run.timeout_s,
            make_analyser=make_analyser,
        )
        scheduler = StudyScheduler(
            out,
            ledger=ledger,
            pool=pool,
            fingerprint=provenance.fingerprint,
            options=options,
            progress=progress,
        )
        try:
            summary = scheduler.run(plan)
        except KeyboardInterrupt:
            _log.info("interrupted")
            write_results(out, ledger, progress)
            raise
        finally:
            pool.stop()
            remove_partials(out)
        progress.say("Writing the tables")
        write_results(out, ledger, progress)
    return summary


def write_results(out: Path, ledger: Ledger, progress: Progress) -> None:
    """Write the tables and the index page from the ledger.

    Args:
        out: Output folder of the run.
        ledger: Its ledger, open for reading.
        progress: Says how many reports cannot be read; the log names each.

    Raises:
        OutputError: They cannot be written.
    """
    unreadable: list[str] = []
    worklist = write_tables(out, ledger, on_unreadable=unreadable.append)
    write_index(out, worklist, ledger.counts())
    for sentence in unreadable:
        _log.warning("left out of the tables: %s", sentence.replace(f"{out}/", ""))
    if unreadable:
        reports = "1 report" if len(unreadable) == 1 else f"{len(unreadable)} reports"
        progress.say(
            f"{reports} of earlier runs cannot be read and are left out of the tables, the first: "
            f"{unreadable[0]}; run again with their studies in the input to write them anew"
        )


def _clinical(path: Path | None) -> tuple[ClinicalTable | None, str | None]:
    """The table of clinical data and its sha256."""
    if path is None:
        return None, None
    table = read_clinical(path)
    return table, hashlib.sha256(path.read_bytes()).hexdigest()


def _check_clinical(table: ClinicalTable, plan: Plan, progress: Progress) -> None:
    """Report rows whose patient or study is not in the input.

    Raises:
        UsageError: A row contradicts the images.
    """
    facts = [planned.series.facts for study in plan.studies for planned in study]
    for series in facts:
        table.facts_of(patient_id=series.patient_id, study_uid=series.study_uid)
    patients = {series.patient_id for series in facts}
    studies = {series.study_uid for series in facts}
    unknown = unknown_keys(table, patients, studies)
    if unknown:
        progress.say(unknown_keys_message(table, unknown))


@contextmanager
def _held(out: Path) -> Iterator[None]:
    """Create the output folder and lock it, so that no other run writes there.

    The system frees the lock when the process ends, however it ends.
    """
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / LOCK_NAME)
    with writing_to(out / LOCK_NAME):
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            msg = f"another run holds {out}; wait for its end, or choose another --out"
            raise OutputHeldError(msg) from error
    try:
        yield
    finally:
        lock.release()
