"""`RunDocument`: the result of a run as JSON, printed by ``hounsfield run --json``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hounsfield.preprocessing.documents import Strict


class RunDocument(Strict):
    """The result of a run."""

    version: Literal[1] = 1
    out: str = Field(description="Output folder.")
    index: str = Field(description="Path of index.html.")
    studies: int = Field(description="Studies of the input that hold something to analyse.")
    already_done: int = Field(description="Those of them that an earlier run had finished.")
    findings: int
    verdicts: dict[str, int] = Field(description="Series and files of the input by verdict.")
    reasons: dict[str, int] = Field(description="Those that were not analysed, by reason.")
    exit_code: int
