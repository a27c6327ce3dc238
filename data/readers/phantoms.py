"""Phantoms as training material: a recipe of seeds, each with a scan drawn from it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    ValidationError,
    field_validator,
)

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
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from pathlib import Path

WIDTH_MM, HEIGHT_MM = 400.0, 330.0
"""What every scan covers: a whole chest."""


class PhantomSetConfig(BaseModel):
    """Which phantoms are made; a setting that is not said is drawn for each seed.

    Attributes:
        first: The first seed.
        count: How many seeds follow one another.
        pixel_mm: Lowest and highest; coarse, since the working grid is no finer.
        slice_mm: Slice distances, and how often each is drawn against the others.
        nodules: Fewest and most.
        classes: How often a nodule is of each class, against the others; where it is not said,
            half of them are benign, as `make_phantom` draws them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: int = Field(ge=0)
    count: int = Field(gt=0)
    pixel_mm: tuple[PositiveFloat, PositiveFloat] = (1.0, 1.2)
    slice_mm: dict[PositiveFloat, PositiveFloat] = {1.25: 2, 1.5: 2, 2.0: 2, 2.5: 2, 3.0: 2, 5.0: 1}
    nodules: tuple[NonNegativeInt, NonNegativeInt] = (4, 12)
    classes: dict[str, PositiveFloat] | None = None

    @field_validator("pixel_mm", "nodules")
    @classmethod
    def _rises(cls, ends: tuple[float, float]) -> tuple[float, float]:
        if ends[0] > ends[1]:
            msg = "the two ends must rise"
            raise ValueError(msg)
        return ends

    @field_validator("classes")
    @classmethod
    def _has_known(cls, classes: dict[str, float] | None) -> dict[str, float] | None:
        if classes is not None and (not classes or set(classes) - set(HISTOLOGIES)):
            msg = f"the classes are {', '.join(HISTOLOGIES)}"
            raise ValueError(msg)
        return classes

    def case(self, seed: int) -> PhantomCase:
        """The scan of one seed and, where the recipe says their classes, its nodules."""
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
        shares = np.array(list(self.classes.values()))
        drawn = rng.choice(list(self.classes), settings.nodule_count, p=shares / shares.sum())
        return PhantomCase(seed, settings, tuple(draw_nodule(str(one), rng) for one in drawn))


@dataclass(frozen=True, slots=True)
class PhantomCase:
    """A phantom that can be prepared: a `data.datasets.CaseSource`.

    Without `nodules` the seed decides what they are.
    """

    seed: int
    settings: PhantomSettings
    nodules: tuple[NoduleSpec, ...] | None = None
    fold: None = None

    @property
    def series_uid(self) -> str:
        """Its name: what its UID will be is known only once it is made."""
        return f"phantom-{self.seed}"

    @property
    def patient_id(self) -> str:
        """Each phantom is a patient of its own."""
        return f"phantom-{self.seed}"

    @property
    def fingerprint(self) -> str:
        """Changes with the settings, and with Hounsfield's version: it may draw differently."""
        nodules = "" if self.nodules is None else f"{self.nodules} "
        return f"{self.seed} {self.settings} {nodules}{version('hounsfield')}"

    def make(self) -> PreparedCase:
        """Makes the phantom, and prepares it as any series.

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


def read_phantoms(recipe: Path) -> DatasetContents:
    """Reads a recipe such as ``configs/data/phantoms.yaml``.

    Raises:
        UsageError: The file is missing, or a setting is wrong; the sentence names it.
    """
    try:
        wanted = PhantomSetConfig.model_validate(yaml.safe_load(recipe.read_text(encoding="utf-8")))
    except OSError as error:
        msg = f"the recipe {recipe} cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"{recipe} is not YAML: {error}"
        raise UsageError(msg) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        msg = f"{recipe}: {where}: {first['msg']}"
        raise UsageError(msg) from error
    seeds = range(wanted.first, wanted.first + wanted.count)
    return DatasetContents([wanted.case(seed) for seed in seeds])
