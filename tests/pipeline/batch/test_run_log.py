"""The log of a run."""

import logging

import pytest

from hounsfield.pipeline.batch.run_log import log_to_folder
from hounsfield.pipeline.config import load_config
from hounsfield.preprocessing.errors import UsageError


def text_of(folder):
    (path,) = folder.glob("run-*.log")
    return path.read_text()


def test_every_package_logs_to_the_file_of_the_run(tmp_path):
    with log_to_folder(tmp_path):
        logging.getLogger("hounsfield.pipeline.batch.scheduler").info("a series was analysed")
        logging.getLogger("hounsfield.models.store").warning("a weight file is large")
    logging.getLogger("hounsfield.pipeline").info("after the run")
    text = text_of(tmp_path)
    assert "INFO a series was analysed" in text
    assert "WARNING a weight file is large" in text
    assert "after the run" not in text


def test_an_internal_error_leaves_its_traceback_in_the_log(tmp_path):
    with pytest.raises(ZeroDivisionError), log_to_folder(tmp_path):
        _ = 1 / 0
    assert "ZeroDivisionError" in text_of(tmp_path)


def test_a_mistake_of_the_user_leaves_no_traceback(tmp_path):
    with pytest.raises(UsageError), log_to_folder(tmp_path):
        load_config("no-such-configuration")
    assert "Traceback" not in text_of(tmp_path)
