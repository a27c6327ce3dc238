"""Worker processes: the sentence for each way in which one fails to answer."""

import multiprocessing
import signal
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from hounsfield.pipeline.batch.messages import WorkerSettings
from hounsfield.pipeline.batch.pool import WorkerPool
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from tests.pipeline.scripted import scripted_config

LONGEST_WAIT_S = 60.0
"""A test fails after it instead of hanging."""


def never_load(_settings):
    signal.pause()


def fail_to_load(_settings):
    msg = "no\nmodels"
    raise ZeroDivisionError(msg)


def load_at_once(_settings):
    return never_analyse


def never_analyse(_series, _prior):
    signal.pause()


def load_slowly(_settings):
    time.sleep(1.5)
    return refuse


def load_refusal(_settings):
    return refuse


def refuse(_series, _prior):
    time.sleep(0.3)
    raise SeriesError(Reason.NOT_CHEST, "Not a chest.")


@contextmanager
def started_pool(folder, make_analyser, **limits):
    settings = WorkerSettings(folder, scripted_config(folder), provenance=None)
    pool = WorkerPool(settings, size=1, make_analyser=make_analyser, **limits)
    try:
        yield pool
    finally:
        pool.stop()


def next_outcome(pool, task):
    pool.submit(task, series=SimpleNamespace(path="series", sources=()))
    end = time.monotonic() + LONGEST_WAIT_S
    while (finished := pool.wait(at_most_s=0.05)) is None:
        assert pool.is_busy
        assert time.monotonic() < end, "no outcome"
    number, outcome = finished
    assert number == task
    return outcome


def outcome_of(folder, make_analyser, **limits):
    with started_pool(folder, make_analyser, **limits) as pool:
        return next_outcome(pool, 7)


def test_a_worker_that_does_not_start_in_time_is_not_blamed_on_the_series_timeout(tmp_path):
    outcome = outcome_of(tmp_path, never_load, timeout_s=900, start_timeout_s=0.1)
    assert outcome.reason is Reason.TIMED_OUT
    assert "more than 0.1 s to start and load its models" in outcome.message
    assert "run.timeout_s" not in outcome.message


def test_a_series_that_takes_too_long_names_the_setting(tmp_path):
    outcome = outcome_of(tmp_path, load_at_once, timeout_s=0.1, start_timeout_s=300)
    assert outcome.reason is Reason.TIMED_OUT
    assert outcome.message == "It took longer than 0.1 s (run.timeout_s); given up."


def test_an_internal_error_at_the_start_ends_the_run_with_a_sentence_and_logs_the_rest(
    tmp_path, caplog
):
    with pytest.raises(RuntimeError) as caught:
        outcome_of(tmp_path, fail_to_load, timeout_s=900)
    assert "a worker could not start: ZeroDivisionError: no models" in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert "Traceback" in caplog.records[-1].details


def test_the_time_that_the_models_take_to_load_is_not_the_time_of_the_series(tmp_path):
    outcome = outcome_of(tmp_path, load_slowly, timeout_s=1.2)
    assert outcome.reason is Reason.NOT_CHEST


def test_a_worker_that_died_while_idle_costs_no_series(tmp_path):
    with started_pool(tmp_path, load_refusal, timeout_s=60) as pool:
        assert next_outcome(pool, 1).reason is Reason.NOT_CHEST
        (process,) = multiprocessing.active_children()
        process.kill()
        process.join()
        assert next_outcome(pool, 2).reason is Reason.NOT_CHEST


class PanicException(BaseException):
    """As pyo3 raises it out of a codec in Rust."""


def load_panic(_settings):
    return panic


def panic(_series, _prior):
    raise PanicException


def load_greed(_settings):
    return want_too_much


def want_too_much(_series, _prior):
    msg = "[CPU] Exception: could not allocate 9663676416 bytes\nbacktrace"
    raise RuntimeError(msg)


def test_a_panic_of_a_codec_is_an_internal_error_of_its_series_alone(tmp_path):
    with started_pool(tmp_path, load_panic, timeout_s=900) as pool:
        for task in range(2):
            outcome = next_outcome(pool, task)
            assert outcome.reason is Reason.INTERNAL
            assert "PanicException" in outcome.message


def test_a_lack_of_memory_is_named_whatever_library_met_it(tmp_path):
    outcome = outcome_of(tmp_path, load_greed, timeout_s=900)
    assert outcome.reason is Reason.OUT_OF_MEMORY
    assert outcome.message.endswith("could not allocate 9663676416 bytes backtrace")
