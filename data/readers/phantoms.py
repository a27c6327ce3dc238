"""Phantoms as training material: a configuration of seeds, and a scan drawn for each."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field, PositiveFloat, field_validator

from hounsfield.data.phantom import (
    HISTOLOGIES,
    NoduleSpec,
    PhantomSettings,
    draw_nodule,
    make_phantom,
)
from hounsfield.data.prepared.case import CaseOrigin, KnownFinding, PreparedCase
from hounsfield.data.prepared.fingerprints import voxels_sha256
from hounsfield.data.readers.dataset import DatasetContents
from hounsfield.preprocessing.documents import Strict, read_document
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from pathlib import Path

WIDTH_MM, HEIGHT_MM = 400.0, 330.0
"""Extent of every scan: a whole chest."""


MAX_COUNT, MAX_SEED = 10_000, 2**62

StepMm = Annotated[float, Field(ge=0.2, le=20)]
"""A voxel's edge: a whole chest of finer ones needs more memory than there is."""

NoduleCount = Annotated[int, Field(ge=0, le=200)]


class PhantomSetConfig(Strict):
    """A set of phantoms, such as ``configs/data/phantoms.yaml``.

    Attributes:
        first: The first seed.
        count: Number of seeds, which follow one another.
        pixel_mm: Smallest and largest pixel; coarse, since the working grid is no finer.
        slice_mm: Slice distances, each with its relative frequency.
        nodules: Smallest and largest number of nodules in a chest.
        classes: Histological classes, each with its relative frequency; without it, half of the
            nodules are benign, as `make_phantom` draws them.
    """

    first: int = Field(ge=0, le=MAX_SEED)
    count: int = Field(gt=0, le=MAX_COUNT)
    pixel_mm: tuple[StepMm, StepMm] = (1.0, 1.2)
    slice_mm: dict[StepMm, PositiveFloat] = Field(
        default={1.25: 2, 1.5: 2, 2.0: 2, 2.5: 2, 3.0: 2, 5.0: 1}
    )
    nodules: tuple[NoduleCount, NoduleCount] = (4, 12)
    classes: dict[str, PositiveFloat] | None = None

    @field_validator("pixel_mm", "nodules")
    @classmethod
    def _rises(cls, ends: tuple[float, float]) -> tuple[float, float]:
        if ends[0] > ends[1]:
            msg = "the first number must not be above the second"
            raise ValueError(msg)
        return ends

    @field_validator("classes")
    @classmethod
    def _has_known(cls, classes: dict[str, float] | None) -> dict[str, float] | None:
        if classes is not None and (not classes or set(classes) - set(HISTOLOGIES)):
            msg = f"must be among {', '.join(HISTOLOGIES)}"
            raise ValueError(msg)
        return classes

    def case(self, seed: int) -> PhantomCase:
        """Draws the scan of one seed and, where `classes` is set, its nodules."""
        rng = np.random.default_rng(seed)
        pixel_mm = float(rng.uniform(*self.pixel_mm))
        weights = np.array(list(self.slice_mm.values()))
        slice_mm = float(rng.choice(list(self.slice_mm), p=weights / weights.sum()))
        rows = round(WIDTH_MM / pixel_mm)
        settings = PhantomSettings(
            shape_zyx=(round(HEIGHT_MM / slice_mm), rows, rows),
            spacing_mm=(pixel_mm, pixel_mm, slice_mm),
            nodule_count=int(rng.integers(self.nodules[0], self.nodules[1] + 1)),
        )
        if self.classes is None:
            return PhantomCase(seed, settings)
        frequencies = np.array(list(self.classes.values()))
        names = rng.choice(
            list(self.classes), settings.nodule_count, p=frequencies / frequencies.sum()
        )
        return PhantomCase(seed, settings, tuple(draw_nodule(str(name), rng) for name in names))


@dataclass(frozen=True, slots=True)
class PhantomCase:
    """A phantom that can be prepared: a `CaseSource`.

    Attributes:
        seed: Decides the person, and the nodules where `nodules` is None.
        settings: Grid and scanner of the scan.
        nodules: Specifications of the nodules.
    """

    seed: int
    settings: PhantomSettings
    nodules: tuple[NoduleSpec, ...] | None = None
    fold: None = None

    @property
    def series_uid(self) -> str:
        """A name, since the UID is known only after the phantom is made."""
        return f"phantom-{self.seed}"

    @property
    def patient_id(self) -> str:
        """Each phantom is a patient of its own."""
        return f"phantom-{self.seed}"

    @property
    def fingerprint(self) -> str:
        """Changes with the settings, and with Hounsfield's version, which may draw differently."""
        nodules = "" if self.nodules is None else f"{self.nodules} "
        return f"{self.seed} {self.settings} {nodules}{version('hounsfield')}"

    def make(self) -> PreparedCase:
        """Makes the phantom, and prepares it like any series.

        Raises:
            SeriesError: Its lungs are not found.
        """
        phantom = make_phantom(self.seed, settings=self.settings, nodules=self.nodules)
        volume = phantom.volume
        findings = tuple(
            KnownFinding(
                nodule.centre_world_mm,
                nodule.diameter_mm,
                histology=nodule.histology,
                specified=nodule.spec,
            )
            for nodule in phantom.nodules
        )
        return PreparedCase(
            self.series_uid,
            self.patient_id,
            to_working_volume(volume, find_lungs(volume)),
            findings,
            synthetic=True,
            origin=CaseOrigin(voxels_sha256(volume.hu)),
        )


def read_phantoms(config: Path) -> DatasetContents:
    """Reads the configuration of a set of phantoms; none is made yet.

    Args:
        config: A YAML file of `PhantomSetConfig`.

    Returns:
        One case per seed.

    Raises:
        UsageError: The file is missing, or a key or value is wrong; the message names it.
    """
    phantoms = read_document(config, PhantomSetConfig)
    seeds = range(phantoms.first, phantoms.first + phantoms.count)
    return DatasetContents([phantoms.case(seed) for seed in seeds])
