"""XML is read in plain encodings alone, and never with a document type."""

import pytest

from hounsfield.data.annotations.xml_files import MAX_BYTES, MAX_TAGS, number_of, read_xml
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

BOMB = '<!DOCTYPE a [<!ENTITY b "cccc">]><a>&b;</a>'
TEXT = "<a xmlns='urn:x'><b>\u00e9</b></a>"


def written(folder, content):
    path = folder / "a.xml"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n' + TEXT.encode(),
        b"<?xml version='1.0' encoding='utf8'?>" + TEXT.encode(),
        b'<?xml version="1.0" encoding="ISO-8859-1"?>' + TEXT.encode("latin-1"),
    ],
)
def test_plain_encodings_are_read_as_declared(tmp_path, content):
    root = read_xml(written(tmp_path, content))
    assert (root.tag, root.findtext("b")) == ("a", "\u00e9")


@pytest.mark.parametrize(
    "content",
    [
        BOMB.encode(),
        b"\xef\xbb\xbf" + BOMB.encode(),
        BOMB.replace("DOCTYPE", "doctype").encode(),
        b'<?xml version="1.0"?><!ENTITY b "c"><a/>',
        *(BOMB.encode(codec) for codec in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7")),
        b'<?xml version="1.0" encoding="UTF-16"?>' + BOMB.encode("utf-16-le"),
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a>' + b"<a/>",
        b'<?xml version="1.0" encoding="cp037"?><a/>',
        b'<?xml version="1.0" encoding="cp1252"?><a/>',
        b'\xef\xbb\xbf<?xml version="1.0" encoding="latin-1"?><a/>',
        b'<?xml version="1.0" encoding="ascii"?><a>\xc3\xa9</a>',
        b"<a>\xff</a>",
        b"<a>\0</a>",
        b"",
    ],
)
def test_a_document_type_and_an_encoding_that_could_hide_it_are_refused(tmp_path, content):
    path = written(tmp_path, content)
    with pytest.raises(SeriesError) as refusal:
        read_xml(path)
    assert refusal.value.path == str(path)
    assert str(tmp_path) not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b" " * (MAX_BYTES + 1), "larger than 8 MB"),
        (b"<a>" * (MAX_TAGS + 1), "more than 400000 tags"),
    ],
)
def test_a_file_too_large_for_annotations_is_refused(tmp_path, content, message):
    with pytest.raises(SeriesError, match=message):
        read_xml(written(tmp_path, content))


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path):
    with pytest.raises(SeriesError) as refusal:
        read_xml(tmp_path)
    assert refusal.value.reason is Reason.UNREADABLE


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1e999", "x", "9" * 400])
def test_only_finite_numbers_are_numbers(tmp_path, text):
    path = written(tmp_path, f"<a><b>{text}</b></a>".encode())
    with pytest.raises(SeriesError, match="must be a finite number") as refusal:
        number_of(read_xml(path), "b", path)
    assert len(str(refusal.value)) < 100
