import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

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
