import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from hounsfield.preprocessing.bounded_yaml import load_yaml
from hounsfield.preprocessing.documents import (
    Strict,
    read_document,
    read_yaml,
    validated,
    validation_sentence,
)
from hounsfield.preprocessing.errors import UsageError


class Part(Strict):
    fold: int = Field(ge=0, lt=10)


class Document(Strict):
    name: str
    limits_mm: tuple[float, float] = (0.0, 1.0)
    parts: tuple[Part, ...] = ()


NO_TUPLE = "Input should be a valid tuple"
WHOLE = Document(name="chest", limits_mm=(1.5, 2.0), parts=(Part(fold=3),))


def written(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_json_and_yaml_give_the_same_document(tmp_path):
    as_json = written(tmp_path, "a.json", WHOLE.model_dump_json())
    as_yaml = written(tmp_path, "a.yaml", "name: chest\nlimits_mm: [1.5, 2]\nparts:\n  - fold: 3\n")
    assert read_document(as_json, Document) == read_document(as_yaml, Document) == WHOLE


@pytest.mark.parametrize("name", ["a.json", "a.yaml"])
def test_a_byte_order_mark_is_skipped(tmp_path, name):
    path = written(tmp_path, name, b'\xef\xbb\xbf{"name": "chest"}')
    assert read_document(path, Document).name == "chest"


def test_a_document_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        WHOLE.name = "abdomen"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.json", '{"name": "x"', "not JSON: EOF while parsing an object at line 1 column 12"),
        ("a.json", "", "not JSON: EOF while parsing a value at line 1 column 0"),
        ("a.json", "[]", "must hold keys with values, got list"),
        ("a.json", b"\xff\xfe{}", "not UTF-8: invalid start byte at byte 0"),
        ("a.json", "{}", "name: Field required"),
        ("a.json", '{"name": 3}', "name: Input should be a valid string, got 3"),
        ("a.json", '{"name": null}', "name: Input should be a valid string, got None"),
        ("a.json", '{"name": "x", "size": 1}', "size: unknown key"),
        (
            "a.json",
            '{"name": "x", "parts": [{"fold": 12}, {"fold": -1}]}',
            "parts.0.fold: Input should be less than 10, got 12 (and 1 more)",
        ),
        ("a.yaml", "name: x\nparts: [", "line 2: not YAML: expected the node content"),
        ("a.yaml", "name: [x\nfold: 1", "line 2: not YAML: expected ',' or ']'"),
        ("a.yaml", "name: 2024-13-45", "not YAML: month must be in 1..12"),
        ("a.yaml", "name: \x00", "not YAML: unacceptable character #x0000"),
        ("a.yaml", "- 1", "must hold keys with values, got list"),
        ("a.yaml", "", "name: Field required"),
        ("a.yaml", f"name: x\nparts: {'y' * 99}", f"parts: {NO_TUPLE}, got '{'y' * 59}..."),
    ],
)  # fmt: skip
def test_a_faulty_file_is_refused_with_its_name_the_first_fault_and_the_remedy(
    tmp_path, name, text, sentence
):
    path = written(tmp_path, name, text)
    with pytest.raises(UsageError) as refusal:
        read_document(path, Document, remedy="write it again")
    message = str(refusal.value)
    assert message.startswith(f"{path}: {sentence}")
    assert message.endswith("; write it again")
    assert "\n" not in message


def test_a_missing_file_is_refused_with_its_name(tmp_path):
    with pytest.raises(UsageError, match=r"gone\.yaml cannot be read: No such file"):
        read_document(tmp_path / "gone.yaml", Document)
    with pytest.raises(UsageError, match=r"cannot be read: Is a directory; choose another$"):
        read_document(tmp_path, Document, remedy="choose another")


def test_an_empty_yaml_file_holds_no_keys(tmp_path):
    assert read_yaml(written(tmp_path, "a.yaml", "# nothing yet\n")) == {}


def test_values_read_elsewhere_are_named_by_their_source():
    with pytest.raises(UsageError, match=r"^table\.csv, line 3: fold: Input should be less than"):
        validated({"fold": "10"}, Part, source="table.csv, line 3")


def test_a_message_of_a_validator_stands_without_pydantics_prefix():
    class Rising(Strict):
        ends: tuple[int, int]

        def model_post_init(self, _context):
            if self.ends[0] > self.ends[1]:
                msg = "ends must rise"
                raise ValueError(msg)

    with pytest.raises(ValidationError) as error:
        Rising(ends=(2, 1))
    assert validation_sentence(error.value) == "ends must rise"


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_wrong_value_is_refused_in_one_line(value):
    text = json.dumps({"name": "x", "parts": {"fold": value}})
    with pytest.raises(ValidationError) as error:
        Document.model_validate_json(text)
    assert len(validation_sentence(error.value).splitlines()) == 1


def billion_laughs(levels):
    """Each level lists the one below ten times."""
    lines = ["level0: &level0 [x]"]
    for level in range(1, levels):
        aliases = ", ".join([f"*level{level - 1}"] * 10)
        lines.append(f"level{level}: &level{level} [{aliases}]")
    return "\n".join([*lines, f"name: *level{levels - 1}"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (billion_laughs(30), "line 6: stands for more than 50000 values once its aliases are read"),
        ("name: " + "[" * 20_000, "line 1: is nested more than 30 deep"),
        ("name: " + "{a: " * 20_000, "line 1: is nested more than 30 deep"),
        ("\n".join("  " * n + "- " for n in range(90)), "line 30: is nested more than 30 deep"),
        ("name: &a [*a]", "line 1: the alias 'a' stands within what it names"),
        ("name: &a {<<: *a}", "line 1: the alias 'a' stands within what it names"),
        ("- x\n" * 60_000, "line 50000: stands for more than 50000 values"),
        ("name: " + "x" * 20_000, "line 1: a value has more than 10000 characters"),
        ("#" * 2**20, "holds 1048576 characters, more than the 524288 of any configuration"),
        ("name: !!int ''", "not YAML: "),
        ("name: !!timestamp x", "not YAML: "),
        ("name: !!python/object:os.system {}", "line 1: not YAML: could not determine"),
        ("name: *gone", "line 1: not YAML: found undefined alias"),
        (b"name: \xff", "not UTF-8: invalid start byte at byte 6"),
        (b"\xff\xfen\0", "not UTF-8: invalid start byte at byte 0"),
    ],
)
def test_a_yaml_file_that_would_grow_is_refused_before_it_does(tmp_path, text, sentence):
    path = written(tmp_path, "a.yaml", text)
    with pytest.raises(UsageError) as refusal:
        read_document(path, Document)
    assert str(refusal.value).startswith(f"{path}: {sentence}")
    assert len(str(refusal.value)) < len(str(path)) + 600


def test_aliases_within_the_limits_are_read(tmp_path):
    text = "name: chest\nlimits_mm: &limits [1, 2]\nparts: []\n"
    assert read_document(written(tmp_path, "a.yaml", text), Document).limits_mm == (1, 2)
    shared = written(tmp_path, "b.yaml", "base: &base {a: 1}\nmore: {<<: *base, b: 2}\n")
    assert read_yaml(shared)["more"] == {"a": 1, "b": 2}


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf"])
def test_nan_and_infinity_are_no_values(tmp_path, number):
    path = written(tmp_path, "a.yaml", f"name: x\nlimits_mm: [0, {number}]\n")
    with pytest.raises(UsageError, match=r"limits_mm\.1: Input should be a finite number"):
        read_document(path, Document)


def test_keys_and_values_are_quoted_in_short(tmp_path):
    digits = "1:" * 3_000 + "1"  # in YAML 1.1 a number to the base 60
    for text in (f"name: x\n{'k' * 5_000}: 1", f"name: {digits}", f"name: x\nparts: {'y' * 9_000}"):
        with pytest.raises(UsageError) as refusal:
            read_document(written(tmp_path, "a.yaml", text), Document)
        assert len(str(refusal.value)) < len(str(tmp_path)) + 300


@given(st.text(alphabet="ab: -[]{}&*!<>|'\"#%,?\n\t\x00\ud7ff0.", max_size=60))
def test_any_text_is_yaml_or_refused_in_one_line(text):
    try:
        load_yaml(text)
    except ValueError as refusal:
        assert len(str(refusal).splitlines()) == 1  # noqa: PT017 - most texts are YAML
