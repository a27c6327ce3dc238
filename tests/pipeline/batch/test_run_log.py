"""The log of a run."""

import logging
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.pipeline.batch.run_log import (
    PrintableFormatter,
    log_to_folder,
    traceback_without_names,
)
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


HOSTILE = "1.2\n2026-01-01 00:00:00,000 INFO study FORGED: analysed\x1b[2J\u2028\u202e"


@given(st.text(st.characters(exclude_categories=())) | st.just(HOSTILE))
def test_a_message_is_one_line_whatever_it_quotes(text):
    line = PrintableFormatter("%(levelname)s %(message)s").format(record_of(text))
    assert len(line.splitlines()) == 1
    assert not {unicodedata.category(c) for c in line} & {"Cc", "Cs", "Zl", "Zp"}


@given(st.text(st.characters(exclude_categories=())) | st.just(HOSTILE))
def test_details_are_indented_so_that_no_line_of_them_passes_for_a_message(text):
    record = record_of("a study failed")
    record.details = text
    first, *others = PrintableFormatter("%(levelname)s %(message)s").format(record).splitlines()
    assert first == "INFO a study failed"
    assert all(line.startswith("    ") for line in others)


@pytest.mark.parametrize(
    "text", ["/data/DOE JOHN/ct.nii", "[Errno 2] no file: '/data/x'", "no DOE^JOHN.dcm", "C:\\x\\y"]
)
def test_a_traceback_names_no_file(text):
    def read():
        raise KeyError(text)

    with pytest.raises(KeyError) as caught:
        read()
    details = traceback_without_names(caught.value, names=["DOE^JOHN.dcm"])
    assert text not in details
    assert "KeyError" in details
    assert "in read" in details


def test_a_traceback_keeps_a_text_that_names_no_file():
    with pytest.raises(ZeroDivisionError) as caught:
        _ = 1 / 0
    assert traceback_without_names(caught.value).endswith("ZeroDivisionError: division by zero")


def record_of(text):
    return logging.LogRecord("hounsfield", logging.INFO, "", 0, "%s", (text,), None)
