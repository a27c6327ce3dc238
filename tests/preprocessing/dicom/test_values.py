"""Elements are looked up by the standard's keywords; malformed values read as missing."""

import pytest
from pydicom.datadict import keyword_for_tag

from hounsfield.preprocessing.dicom.headers.dataset import parse_header
from hounsfield.preprocessing.dicom.headers.values import (
    number,
    numbers,
    tag_of,
    text,
    unsigned_short,
)
from tests.preprocessing.dicom_files import plane_hu, save, slice_dataset

AXES = ((1, 0, 0), (0, 1, 0))
KEYWORDS = ("PixelSpacing", "SliceThickness", "Rows", "PatientID", "SpacingBetweenSlices")


@pytest.fixture
def elements(tmp_path):
    hu = plane_hu((0, 0, 0), AXES, (1, 1), (8, 6))
    path = save(slice_dataset(hu, PatientID="P1", SliceThickness="2.5 "), tmp_path / "a.dcm")
    with path.open("rb") as file:
        tags = [tag_of(keyword) for keyword in KEYWORDS]
        return parse_header(file, path.stat().st_size, tags).elements


def test_values_are_found_by_keyword(elements):
    assert numbers(elements, "PixelSpacing") == (1.0, 1.0)
    assert number(elements, "SliceThickness") == 2.5
    assert unsigned_short(elements, "Rows") == 8
    assert text(elements, "PatientID") == "P1"


def test_a_missing_value_reads_as_none_or_empty(elements):
    assert number(elements, "SpacingBetweenSlices") is None
    assert text(elements, "StudyDescription") == ""


def test_a_keyword_that_the_standard_lacks_is_an_error(elements):
    with pytest.raises(KeyError, match="PixelSpacings"):
        numbers(elements, "PixelSpacings")


def test_a_tag_is_that_of_the_standard():
    assert tag_of("ImagePositionPatient") == 0x00200032
    assert all(keyword_for_tag(tag_of(keyword)) == keyword for keyword in KEYWORDS)
