"""What commands print: hostile text moves no cursor and forges no line."""

import json

import pytest

from hounsfield.pipeline.cli.errors import exit_on_error
from hounsfield.pipeline.cli.printing import print_document, print_lines
from hounsfield.pipeline.report.templating import environment
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError, UsageError

HOSTILE = "a\x1b[2J\nhounsfield: done\u202e"
SHOWN = r"a\x1b[2J\x0ahounsfield: done\u202e"


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        UsageError(HOSTILE),
        SeriesError(Reason.UNREADABLE, HOSTILE, path=HOSTILE),
        ZeroDivisionError(HOSTILE),
    ],
)
def test_the_sentence_of_an_error_is_one_line(error, debug, capsys):
    with pytest.raises(SystemExit), exit_on_error(debug=debug):
        raise error
    text = capsys.readouterr().err
    assert "\x1b" not in text
    assert SHOWN in text.splitlines()[-1]
    assert [line for line in text.splitlines() if line.startswith("hounsfield: ")] == [
        text.splitlines()[-1]
    ]


def test_a_line_stays_one_line(capsys):
    print_lines(HOSTILE, "b")
    assert capsys.readouterr().out == f"{SHOWN}\nb\n"


def test_a_document_says_the_same_without_control_characters(capsys):
    print_document(json.dumps({"a": "\x9b\u2028"}, ensure_ascii=False, indent=2))
    text = capsys.readouterr().out
    assert not set("\x9b\u2028") & set(text)
    assert json.loads(text) == {"a": "\x9b\u2028"}


def test_text_in_a_page_has_its_control_characters_as_escapes_too():
    page = environment().from_string("<p>{{ text }}</p>\n{{ plot | safe }}")
    assert page.render(text=HOSTILE, plot="<svg>\n</svg>") == f"<p>{SHOWN}</p>\n<svg>\n</svg>"
