"""The net lets interruptions through, and turns everything else into a `SeriesError`."""

import errno
import os

import numpy as np
import pytest

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError, UsageError
from hounsfield.preprocessing.safety_net import as_series_error, is_out_of_memory


class PanicException(BaseException):
    """As pyo3 raises it out of a codec in Rust."""


class BytesLengthException(Exception):  # noqa: N818 - the name that pydicom gives it
    """As pydicom raises it; it derives from nothing more specific."""


class OutOfMemoryError(RuntimeError):
    """As torch raises it on a GPU."""


def numpy_error_for_lack_of_memory():
    """What numpy raises for an array of 2 exabytes."""
    try:
        np.empty((10**9, 10**9), np.int16)
    except MemoryError as error:
        return error


@pytest.mark.parametrize(
    "error",
    [
        PanicException("index 3"),
        BytesLengthException(),
        KeyError(1),
        RecursionError(),
        StopIteration(),
    ],
)
def test_anything_unexpected_becomes_an_unreadable_file_that_names_its_kind(error):
    with pytest.raises(SeriesError, match=type(error).__name__) as caught, as_series_error("a.dcm"):
        raise error
    assert (caught.value.reason, caught.value.path) == (Reason.UNREADABLE, "a.dcm")
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
def test_an_interruption_passes(error):
    with pytest.raises(type(error)), as_series_error("a.dcm"):
        raise error


def test_an_error_of_the_project_keeps_its_reason_and_gets_the_path():
    with pytest.raises(SeriesError, match="cut") as caught, as_series_error("a.dcm"):
        raise SeriesError(Reason.TRUNCATED, "The file is cut")
    assert (caught.value.reason, caught.value.path) == (Reason.TRUNCATED, "a.dcm")
    with pytest.raises(UsageError), as_series_error("a.dcm"):
        raise UsageError


def test_only_what_quotes_a_library_repeats_its_first_sentence_and_the_remedy_comes_last():
    error = ValueError("ends at\n byte 7. Pass force=True to read it.")
    with pytest.raises(SeriesError, match=r"damaged \(ValueError\)$"), as_series_error():
        raise error
    sentence = r"The XML file .* damaged \(ValueError: ends at byte 7\); download it again$"
    with (
        pytest.raises(SeriesError, match=sentence),
        as_series_error(None, "The XML file", remedy="download it again", quotes_library=True),
    ):
        raise error


def test_an_error_of_the_system_is_quoted_without_its_path():
    words = os.strerror(errno.EIO)
    with pytest.raises(SeriesError, match=f"cannot be read: {words}$"), as_series_error():
        raise OSError(errno.EIO, words, "/studies/DOE_JANE")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        numpy_error_for_lack_of_memory(),
        OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("Exception from src/inference/src/cpp/infer_request.cpp: could not allocate"),
        RuntimeError("[CPU] Failed to allocate 9663676416 bytes of memory"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("bad allocation"),
        RuntimeError("itk::ERROR: ... Failed to allocate memory for image."),
        RuntimeError("BFCArena::AllocateRawInternal Failed to allocate memory for buffer"),
        ValueError("jpegls: Memory allocation failure"),
        RuntimeError("Unable to allocate 9 GiB"),
    ],
    ids=str,
)
def test_out_of_memory_is_recognised_whatever_library_says_it(error):
    assert is_out_of_memory(error)
    with pytest.raises(SeriesError, match="more memory") as caught, as_series_error():
        raise error
    assert caught.value.reason is Reason.OUT_OF_MEMORY


@pytest.mark.parametrize("text", ["BitsAllocated is 12", "pointer being freed was not allocated"])
def test_other_errors_are_not_taken_for_a_lack_of_memory(text):
    assert not is_out_of_memory(RuntimeError(text))
