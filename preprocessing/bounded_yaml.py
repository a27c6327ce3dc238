"""Reads YAML whose depth, size and aliases are bounded: a file may not grow by being read."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

MAX_CHARACTERS = 2**19
"""The largest configuration of the project has about 3,000."""

MAX_DEPTH = 30
MAX_NODES = 50_000
"""Keys, values and sections, each alias counted with everything that it stands for."""

MAX_SCALAR_CHARACTERS = 10_000

MAX_SHOWN_CHARACTERS = 60


def load_yaml(text: str) -> object:
    """Reads YAML as plain values: mappings, lists, text, numbers, dates.

    Args:
        text: The whole document, decoded, without a byte order mark.

    Returns:
        The values; None for an empty document.

    Raises:
        ValueError: It is not YAML, or larger or deeper than any configuration; the message says
            where and why in one line, and quotes no value.
    """
    try:
        _check_size(text)
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"line {mark.line + 1}: " if mark is not None else ""
        msg = f"{line}not YAML: {error.problem or error.context}"
    except _TooLargeError as error:
        msg = str(error)
    except Exception as error:  # for `!!int ""` and `!!timestamp x` PyYAML raises anything
        msg = f"not YAML: {' '.join(str(error).split()) or type(error).__name__}"
        raise ValueError(msg) from error
    raise ValueError(msg)


class _TooLargeError(Exception):
    """The document exceeds a limit; the text says which and where."""


def _check_size(text: str) -> None:
    """Counts the nodes of a document from its events, which PyYAML makes without recursion."""
    if len(text) > MAX_CHARACTERS:
        msg = f"holds {len(text)} characters, more than the {MAX_CHARACTERS} of any configuration"
        raise _TooLargeError(msg)
    sections = [_Section(None)]
    nodes_of_anchor: dict[str, int] = {}
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        fault = None
        if isinstance(event, yaml.CollectionStartEvent):
            sections.append(_Section(event.anchor))
            if len(sections) > MAX_DEPTH:
                fault = f"is nested more than {MAX_DEPTH} deep"
        elif isinstance(event, yaml.CollectionEndEvent | yaml.NodeEvent):
            closed = _closed(event, sections, nodes_of_anchor)
            sections[-1].nodes += closed.nodes
            if closed.anchor is not None:
                nodes_of_anchor[closed.anchor] = closed.nodes
            fault = _fault(event, sections)
        if fault is not None:
            mark = event.start_mark
            msg = fault if mark is None else f"line {mark.line + 1}: {fault}"
            raise _TooLargeError(msg)


@dataclass(slots=True)
class _Section:
    """A mapping or list, or a single value: its anchor, and its nodes once aliases are read."""

    anchor: str | None
    nodes: int = 1


def _closed(
    event: yaml.Event, sections: list[_Section], nodes_of_anchor: dict[str, int]
) -> _Section:
    """What ends with an event: a section, an alias or a single value."""
    if isinstance(event, yaml.CollectionEndEvent):
        return sections.pop()
    if isinstance(event, yaml.AliasEvent):
        return _Section(None, nodes_of_anchor.get(str(event.anchor), 1))
    return _Section(getattr(event, "anchor", None))


def _fault(event: yaml.Event, sections: list[_Section]) -> str | None:
    """Why a document ends at an event; None where it is within all limits."""
    if isinstance(event, yaml.AliasEvent) and event.anchor in {s.anchor for s in sections}:
        return f"the alias {str(event.anchor)[:MAX_SHOWN_CHARACTERS]!r} stands within what it names"
    if isinstance(event, yaml.ScalarEvent) and len(event.value) > MAX_SCALAR_CHARACTERS:
        return f"a value has more than {MAX_SCALAR_CHARACTERS} characters"
    if sections[-1].nodes > MAX_NODES:
        return f"stands for more than {MAX_NODES} values once its aliases are read"
    return None
