"""The words in which a judge of a case says what it expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.cases.product import Product
    from hounsfield.pipeline.inspection import InspectionRow


class WrongVerdict(Exception):  # noqa: N818 - it is a verdict, not an error of the benchmark
    """What was expected, and what was seen."""


def expect(seen: object, wanted: object, words: str = "") -> None:
    """Compares what was seen with what is right.

    Args:
        seen: What Hounsfield made of the case.
        wanted: What is right.
        words: Shown in place of `seen`.

    Raises:
        WrongVerdict: They differ.
    """
    if seen != wanted:
        msg = f"expected {wanted}, got {words or seen}"
        raise WrongVerdict(msg)


def only_chosen(product: Product) -> InspectionRow:
    """Returns the one series that a run would analyse.

    Args:
        product: Hounsfield on the case.

    Raises:
        WrongVerdict: There is none, or there are several.
    """
    rows = product.chosen
    if len(rows) != 1:
        msg = f"{len(rows)} series would be analysed; reasons of the others: {product.reasons}"
        raise WrongVerdict(msg)
    return rows[0]


def notices_of(row: InspectionRow) -> set[str]:
    """Returns the codes of a series' notices.

    Args:
        row: A series.
    """
    return {notice.code.value for notice in row.notices}


def conflict_about(row: InspectionRow, words: str) -> None:
    """Expects a `header_conflict` that names something.

    Args:
        row: A series.
        words: What the notice must name.

    Raises:
        WrongVerdict: There is no such notice.
    """
    messages = [n.message for n in row.notices if n.code.value == "header_conflict"]
    if not any(words in message for message in messages):
        msg = f"expected a header_conflict about {words}, got {messages}"
        raise WrongVerdict(msg)
