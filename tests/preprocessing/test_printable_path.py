"""Text from files on a terminal and in a log: one line stays one line, nothing moves the cursor."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.preprocessing.printable import (
    printable_json,
    printable_path,
    printable_text,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()))
BIDI = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


@given(ANY_TEXT)
def test_printable_text_is_one_line_without_control_characters(text):
    printed = printable_text(text)
    assert len(printed.splitlines()) <= 1
    assert not {unicodedata.category(c) for c in printed} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(c) for c in printed} & BIDI
    printed.encode()


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a\nb", r"a\x0ab"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("a\u2028b", r"a\u2028b"),
        ("b\udce9b", r"b\xe9b"),
        ("Müller 5 µm, 東京", "Müller 5 µm, 東京"),
    ],
)
def test_control_characters_are_shown_as_escapes_and_the_rest_as_it_is(text, printed):
    assert printable_text(text) == printed


@given(st.dictionaries(ANY_TEXT, ANY_TEXT))
def test_a_printed_document_says_the_same(values):
    document = json.dumps(values, ensure_ascii=False, indent=2)
    printed = printable_json(document)
    assert json.loads(printed) == values
    assert len(printed.splitlines()) == len(document.split("\n"))


@given(ANY_TEXT)
def test_any_text_can_be_stored_as_a_path(text):
    printable_path(text).encode()
