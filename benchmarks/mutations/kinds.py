"""`Kind`: a sort of input, how it is changed, and how it is read."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hounsfield.pipeline.analysis.examination import find_chest
from hounsfield.pipeline.analysis.timing import StageTimer, peak_memory_mb, reset_peak_memory
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.reading import read_volume

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from hounsfield.pipeline.analysis.examination import Chest

POSITION_TOLERANCE_MM = 0.01
"""Positions that differ less are the same: positions are rounded when they are written."""

_NET = re.compile(r"it is damaged \((\w+)\)")
"""The sentence of a net that does not quote what the library said."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A changed input.

    Attributes:
        files: The content of each changed file by its name in the input's folder.
        field: What was changed, for instance ``RescaleIntercept of all slices``.
        how: What was done to it, for instance ``one digit``.
    """

    files: dict[str, bytes]
    field: str
    how: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading an input gave.

    Attributes:
        volumes: HU and affine of each series that a run would analyse.
        told: Codes of all notices and reasons.
        messages: The sentences of the reasons.
        caught: Kinds of exceptions that only a net turned into a reason.
        grown_mb: By how much the process grew while it looked, in 10^6 bytes.
    """

    volumes: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    told: frozenset[str] = frozenset()
    messages: tuple[str, ...] = ()
    caught: frozenset[str] = frozenset()
    grown_mb: float = 0.0

    def same_as(self, other: Reading) -> bool:
        """Whether HU and geometry are equal."""
        return len(self.volumes) == len(other.volumes) and all(
            hu.shape == other_hu.shape
            and np.allclose(affine, other_affine, rtol=0, atol=POSITION_TOLERANCE_MM)
            and np.array_equal(hu, other_hu)
            for (hu, affine), (other_hu, other_affine) in zip(
                self.volumes, other.volumes, strict=True
            )
        )


class Kind(ABC):
    """A sort of input.

    Attributes:
        name: As ``--kind`` takes it.
        share: Inputs of it among 100,000.
    """

    name: ClassVar[str]
    share: ClassVar[int]

    @cached_property
    def contents(self) -> dict[str, bytes]:
        """The unchanged input: the content of each file by its name, made once."""
        return self.files()

    @abstractmethod
    def files(self) -> dict[str, bytes]:
        """Makes the unchanged input."""

    @abstractmethod
    def mutate(self, rng: Random) -> Mutation:
        """Returns a changed input; the same for the same state of `rng`."""

    @abstractmethod
    def read(self, folder: Path) -> Reading:
        """Reads the input in a folder as the product does.

        Raises:
            HounsfieldError: It is refused.
        """


class ImageKind(Kind):
    """An input of images, which is searched and read."""

    def read(self, folder: Path) -> Reading:
        """Looks for series, and reads and assesses them as a run does before the networks."""
        reset_peak_memory()
        before_mb = peak_memory_mb()
        discovery = discover([folder])
        grown_mb = peak_memory_mb() - before_mb
        chests: list[Chest] = []
        errors: list[SeriesError] = []
        for series in discovery.series:
            if series.rejection is not None:
                errors.append(series.rejection)
                continue
            try:
                chests.append(find_chest(read_volume(series), timer=StageTimer()))
            except SeriesError as error:
                errors.append(error)
        told = [str(notice.code) for chest in chests for notice in chest.notices]
        told += [str(notice.code) for series in discovery.series for notice in series.notices]
        told += [str(error.reason) for error in errors]
        told += [str(skipped.reason) for skipped in discovery.skipped_files]
        messages = [error.message for error in errors]
        messages += [skipped.message for skipped in discovery.skipped_files]
        caught = [match[1] for message in messages if (match := _NET.search(message))]
        return Reading(
            tuple((chest.volume.hu, chest.volume.affine) for chest in chests),
            frozenset(told),
            tuple(messages),
            frozenset(caught),
            grown_mb,
        )
