"""Whatever is done to an input, its reader gives values or one sentence, in bounded memory."""

import math
import re
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.config import disable_value_validation

from benchmarks.material.reader_inputs.annotations import ANNOTATIONS
from benchmarks.material.reader_inputs.documents import DOCUMENTS
from benchmarks.material.reader_inputs.tables import TABLES
from benchmarks.material.reader_inputs.weights import WEIGHTS
from hounsfield.preprocessing.errors import SeriesError, UsageError

MAX_BYTES = 16 * 2**20
"""An XML file is read into a buffer of 8 MB; the volume itself has 26 kB."""

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
WORDS = [b"nan", b"inf", b"-inf", b"1e9", b"-1e9", b"1e308", b"1e400", b"-1", b"0", b"", b"x"]
CODECS = ["utf-16", "utf-16-le", "utf-32", "utf-7", "cp037", "utf-8-sig"]


@st.composite
def damages(draw):
    """A function that damages bytes: whichever way is drawn, at a place that is drawn."""
    way = draw(st.sampled_from(["bit", "cut", "insert", "remove", "number", "encoding", "repeat"]))
    place, length = draw(st.floats(0, 1, exclude_max=True)), draw(st.integers(1, 12))
    random, word = draw(st.binary(min_size=1, max_size=8)), draw(st.sampled_from(WORDS))
    codec = draw(st.sampled_from(CODECS))

    def damaged(content):
        at = math.floor(place * len(content))
        numbers = [match.span() for match in NUMBER.finditer(content)] or [(at, at)]
        first, last = numbers[math.floor(place * len(numbers))]
        return {
            "bit": content[:at] + bytes([content[at] ^ 1 << length % 8]) + content[at + 1 :],
            "cut": content[:at],
            "insert": content[:at] + random + content[at:],
            "remove": content[:at] + content[at + length :],
            "number": content[:first] + word + content[last:],
            "encoding": content.decode("latin-1").encode(codec, "replace"),
            "repeat": content[:at] + content[at // 2 :],
        }[way]

    return damaged


def assert_values_or_one_sentence(reader_input, folder, damage, exceptions):
    path = reader_input.make(folder)
    path.write_bytes(damage(path.read_bytes()))
    tracemalloc.start()
    try:
        reader_input.read(path)
    except exceptions as refusal:
        sentence = str(refusal)
        assert sentence.isprintable()
        assert len(sentence) < len(str(path)) + 700
        assert SeriesError not in exceptions or str(folder) not in sentence
    finally:
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak_bytes < MAX_BYTES


def in_folders_made_once(examples):
    """The folder is filled anew for each example, so one serves for all."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=examples, deadline=None, suppress_health_check=checks)


def named(inputs):
    return pytest.mark.parametrize("reader_input", inputs, ids=lambda item: item.name)


@named(ANNOTATIONS)
@in_folders_made_once(100)
@given(damage=damages())
def test_any_damage_to_annotations_costs_one_case(tmp_path, reader_input, damage):
    assert_values_or_one_sentence(reader_input, tmp_path, damage, (SeriesError,))


@named([*TABLES, *DOCUMENTS])
@in_folders_made_once(40)
@given(damage=damages())
def test_any_damage_to_a_table_or_document_is_a_wrong_usage(tmp_path, reader_input, damage):
    assert_values_or_one_sentence(reader_input, tmp_path, damage, (UsageError,))


@named(WEIGHTS)
@in_folders_made_once(40)
@given(damage=damages())
def test_any_damage_to_weights_is_a_wrong_usage(tmp_path, reader_input, damage):
    assert_values_or_one_sentence(reader_input, tmp_path, damage, (UsageError,))


@named([item for item in ANNOTATIONS if item.name in {"lidc_xml", "pascal_voc"}])
@pytest.mark.parametrize("number", ["nan", "-inf", "1e9", "-1e9", "9" * 12])
def test_a_number_that_cannot_be_is_never_a_label(tmp_path, reader_input, number):
    """Each number of the file in turn."""
    path = reader_input.make(tmp_path)
    whole = path.read_bytes()
    accepted = []
    for match in NUMBER.finditer(whole):
        if whole[match.start() - 1 : match.start()] != b">" or whole[match.end() :][:2] != b"</":
            continue
        path.write_bytes(whole[: match.start()] + number.encode() + whole[match.end() :])
        try:
            reader_input.read(path)
        except SeriesError:
            continue
        accepted.append(match.start())
    # The name of a nodule is no number.
    assert [whole[at - 10 : at] for at in accepted] in ([], [b"<noduleID>"])


@pytest.mark.parametrize("values", [["1e9", "10"], ["nan", "10"], ["-1e9", "1e9"], ["inf", "10"]])
def test_a_contour_that_leaves_the_series_is_refused_before_it_is_filled(tmp_path, values):
    rtstruct = next(item for item in ANNOTATIONS if item.name == "rtstruct")
    path = rtstruct.make(tmp_path)
    dataset = dcmread(path)
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    with disable_value_validation():
        contour.ContourData = [*values, *contour.ContourData[2:]]
        dataset.save_as(path)
    with pytest.raises(SeriesError):
        rtstruct.read(path)
