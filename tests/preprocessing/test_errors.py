"""Errors and notices keep the path apart from the sentence: folders may name the patient."""

import errno
import json
import os
import pickle
from pathlib import Path

import pytest

from hounsfield.preprocessing.codes import Notice, NoticeCode, Reason
from hounsfield.preprocessing.errors import OutputError, SeriesError, writing_to
from hounsfield.preprocessing.printable import file_name

PATH = Path("/studies/DOE_JANE/slice.dcm")


def test_an_error_has_its_path_apart_from_the_sentence():
    error = SeriesError(Reason.TRUNCATED, "The file is cut", path=PATH)
    assert (str(error), error.message, error.path) == (*["The file is cut"] * 2, str(PATH))
    assert SeriesError(Reason.TRUNCATED, "The file is cut").path is None


def test_an_error_crosses_from_a_worker_with_its_path():
    error = SeriesError(Reason.TRUNCATED, "The file is cut", path=PATH)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.reason, copy.message, copy.path) == (error.reason, error.message, error.path)


def test_a_path_is_added_once():
    error = SeriesError(Reason.TRUNCATED, "The file is cut").with_path(PATH)
    assert error.path == str(PATH)
    assert error.with_path("/elsewhere").path == str(PATH)


def test_a_path_of_any_bytes_can_be_stored():
    error = SeriesError(Reason.TRUNCATED, "The file is cut", path=os.fsdecode(b"caf\xe9.dcm"))
    assert error.path == "caf\\xe9.dcm"


def test_a_notice_shows_its_path_only_on_request():
    notice = Notice(NoticeCode.METAL, "Metal", {"dense_ml": 1.5}, path=str(PATH))
    document = {"code": "metal", "message": "Metal", "dense_ml": 1.5}
    assert notice.as_json() == document
    assert notice.as_json(with_path=True) == {**document, "path": str(PATH)}
    assert json.dumps(notice.as_json())


def test_a_notice_without_a_path_has_none_in_its_json():
    assert "path" not in Notice(NoticeCode.METAL, "Metal").as_json(with_path=True)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/b/slice.dcm", "slice.dcm"),
        ("/a/study.zip!folder/slice.dcm", "slice.dcm"),
        ("/a/study.zip!slice.dcm", "slice.dcm"),
        ("slice.dcm", "slice.dcm"),
    ],
)
def test_a_file_is_named_without_its_folders(path, name):
    assert file_name(path) == name


def test_a_failure_to_write_names_the_place_and_the_cause(tmp_path):
    words = "out cannot be written: No such file"
    with pytest.raises(OutputError, match=words), writing_to(tmp_path / "out"):
        (tmp_path / "gone" / "file").touch()


@pytest.mark.parametrize(
    ("code", "advised"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EACCES, False)]
)
def test_only_a_full_disk_is_answered_with_the_advice_to_free_space(tmp_path, code, advised):
    with pytest.raises(OutputError) as caught, writing_to(tmp_path):
        raise OSError(code, os.strerror(code))
    assert ("free some space" in str(caught.value)) is advised
    assert "choose another folder" in str(caught.value)
