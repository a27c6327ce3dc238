"""Reads YAML and JSON documents into pydantic models; a faulty one is refused with one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hounsfield.preprocessing.bounded_yaml import load_yaml
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

Model = TypeVar("Model", bound=BaseModel)

MAX_SHOWN_CHARACTERS = 60
"""A wrong value, and each key on the way to it, is quoted in a message up to this length."""

MAX_PROBLEM_CHARACTERS = 400
"""A validator's own words are quoted up to this length: they may quote the value themselves."""


class Strict(BaseModel):
    """The base of documents and configurations: it refuses unknown keys and cannot be changed.

    NaN and infinities are no values of any of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def read_document(path: Path, model: type[Model], *, remedy: str = "") -> Model:
    """Reads a document into its model.

    Args:
        path: A ``.json`` file; every other suffix is read as YAML. UTF-8, with or without a
            byte order mark.
        model: The class of the document, usually a `Strict` one.
        remedy: What the user can do about a missing or faulty file, in the imperative and
            without a full stop; it ends the sentence of every error.

    Returns:
        The validated document.

    Raises:
        UsageError: The file cannot be read, is not UTF-8, has a syntax error (with its line), or
            a key or value is wrong (the first one, with its value).
    """
    if path.suffix.lower() != ".json":
        return validated(read_yaml(path, remedy=remedy), model, source=path, remedy=remedy)
    text = _read_text(path, remedy)
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise _faulty(path, validation_sentence(error), remedy) from error


def read_yaml(path: Path, *, remedy: str = "") -> dict[str, Any]:
    """Reads a YAML file of keys and values without checking them against a model.

    Args:
        path: The file, UTF-8 with or without a byte order mark.
        remedy: What the user can do about a missing or faulty file, as in `read_document`.

    Returns:
        The top-level mapping; an empty file gives an empty one.

    Raises:
        UsageError: The file cannot be read, is not UTF-8, has a syntax error (with its line), is
            larger or deeper than any configuration, or holds something other than keys and
            values.
    """
    text = _read_text(path, remedy)
    try:
        values = load_yaml(text)
    except ValueError as error:
        raise _faulty(path, str(error), remedy) from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        msg = f"must hold keys with values, got {type(values).__name__}"
        raise _faulty(path, msg, remedy)
    return values


def is_file(path: Path) -> bool:
    """Whether a user's word names a file; one that no file can have, being too long, does not.

    Args:
        path: What the user gave, such as the name of a configuration.
    """
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, a loop of links, a zero byte
        return False


def validated(values: object, model: type[Model], *, source: object, remedy: str = "") -> Model:
    """Checks values that were read elsewhere against a model.

    Args:
        values: A mapping of keys to values, such as `read_yaml` gives.
        model: The class of the document, usually a `Strict` one.
        source: Where the values come from (a path, a line of a table); it begins the message.
        remedy: What the user can do about a wrong value, as in `read_document`.

    Returns:
        The validated document.

    Raises:
        UsageError: A key or value is wrong; the sentence names the first one.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _faulty(source, validation_sentence(error), remedy) from error


def validation_sentence(error: ValidationError) -> str:
    """Turns a pydantic error into ``key.of.the.first.fault: what is wrong, got 'the value'``.

    Args:
        error: What a model raised; further faults are only counted.

    Returns:
        The sentence without a full stop, to stand behind the name of the file.
    """
    first, *others = error.errors(include_url=False)
    place = ".".join(_shortened(str(key), MAX_SHOWN_CHARACTERS) for key in first["loc"])
    problem = first["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if first["type"] == "extra_forbidden":
        problem = "unknown key"
    elif first["type"] == "json_invalid":
        problem = f"not JSON: {problem.removeprefix('Invalid JSON: ')}"
    elif first["type"] in {"model_type", "dataclass_type"}:
        problem = f"must hold keys with values, got {type(first['input']).__name__}"
    elif first["type"] != "missing" and isinstance(first["input"], str | int | float | None):
        shown = _shortened(_quoted(first["input"]), MAX_SHOWN_CHARACTERS)
        if shown not in problem:
            problem = f"{problem}, got {shown}"
    problem = _shortened(problem, MAX_PROBLEM_CHARACTERS)
    more = f" (and {len(others)} more)" if others else ""
    return f"{place}: {problem}{more}" if place else f"{problem}{more}"


def _quoted(value: str | float | None) -> str:
    try:
        return repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "a huge integer"


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}..."


def _read_text(path: Path, remedy: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}{_ending(remedy)}"
        raise UsageError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"not UTF-8: {error.reason} at byte {error.start}"
        raise _faulty(path, msg, remedy) from error


def _faulty(source: object, problem: str, remedy: str) -> UsageError:
    return UsageError(f"{source}: {problem}{_ending(remedy)}")


def _ending(remedy: str) -> str:
    return f"; {remedy}" if remedy else ""
