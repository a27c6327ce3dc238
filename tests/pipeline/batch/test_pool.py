"""Worker processes: the sentence for each way in which one fails to answer."""

import signal

from hounsfield.pipeline.batch.messages import WorkerSettings
from hounsfield.pipeline.batch.pool import WorkerPool
from hounsfield.preprocessing.codes import Reason
from tests.pipeline.scripted import scripted_config


def never_load(_settings):
    signal.pause()


def load_at_once(_settings):
    return never_analyse


def never_analyse(_series, _prior):
    signal.pause()


def outcome_of(folder, make_analyser, **limits):
    settings = WorkerSettings(folder, scripted_config(folder), provenance=None)
    pool = WorkerPool(settings, size=1, make_analyser=make_analyser, **limits)
    try:
        pool.submit(7, series=None)
        while (finished := pool.wait(at_most_s=0.05)) is None:
            assert pool.is_busy
    finally:
        pool.stop()
    task, outcome = finished
    assert task == 7
    return outcome


def test_a_worker_that_does_not_start_in_time_is_not_blamed_on_the_series_timeout(tmp_path):
    outcome = outcome_of(tmp_path, never_load, timeout_s=900, start_timeout_s=0.1)
    assert outcome.reason is Reason.TIMED_OUT
    assert "more than 0.1 s to start and load its models" in outcome.message
    assert "run.timeout_s" not in outcome.message


def test_a_series_that_takes_too_long_names_the_setting(tmp_path):
    outcome = outcome_of(tmp_path, load_at_once, timeout_s=0.1, start_timeout_s=300)
    assert outcome.reason is Reason.TIMED_OUT
    assert outcome.message == "It took longer than 0.1 s (run.timeout_s); given up."
