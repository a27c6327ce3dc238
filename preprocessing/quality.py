"""The quality verdict (first form)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preprocessing.codes import Notice
    from preprocessing.lungs import Lungs
    from preprocessing.volume import Volume


def assess_quality(volume: Volume, lungs: Lungs | None) -> tuple[Notice, ...]:  # noqa: ARG001
    return ()
