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

from data.datasets import DatasetContents
from data.fingerprints import voxels_sha256
from data.phantom import PhantomSettings, make_phantom
from data.prepared import CaseOrigin, KnownFinding, PreparedCase
from preprocessing.errors import UsageError
from preprocessing.lungs import find_lungs
from preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from pathlib import Path

WIDTH_MM, HEIGHT_MM = 400.0, 330.0
"""What every scan covers: a whole chest."""


class PhantomRecipe(BaseModel):
    """Which phantoms are made; a setting that is not said is drawn for each seed.

    Attributes:
        first: The first seed.
        count: How many seeds follow one another.
        pixel_mm: Lowest and highest; coarse, since the working grid is no finer.
        slice_mm: Slice distances, and how often each is drawn against the others.
        nodules: Fewest and most.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: int = Field(ge=0)
    count: int = Field(gt=0)
    pixel_mm: tuple[PositiveFloat, PositiveFloat] = (1.0, 1.2)
    slice_mm: dict[PositiveFloat, PositiveFloat] = {1.25: 2, 1.5: 2, 2.0: 2, 2.5: 2, 3.0: 2, 5.0: 1}
    nodules: tuple[NonNegativeInt, NonNegativeInt] = (4, 12)

    @field_validator("pixel_mm", "nodules")
    @classmethod
    def _rises(cls, ends: tuple[float, float]) -> tuple[float, float]:
        if ends[0] > ends[1]:
            msg = "the two ends must rise"
            raise ValueError(msg)
        return ends

    def settings(self, seed: int) -> PhantomSettings:
        """The scan and the number of nodules of one seed."""
        rng = np.random.default_rng(seed)
        pixel_mm = float(rng.uniform(*self.pixel_mm))
        weights = np.array(list(self.slice_mm.values()))
        slice_mm = float(rng.choice(list(self.slice_mm), p=weights / weights.sum()))
        rows = round(WIDTH_MM / pixel_mm)
        return PhantomSettings(
            shape_zyx=(round(HEIGHT_MM / slice_mm), rows, rows),
            spacing_mm=(pixel_mm, pixel_mm, slice_mm),
            nodule_count=int(rng.integers(self.nodules[0], self.nodules[1] + 1)),
        )


@dataclass(frozen=True, slots=True)
class PhantomCase:
    """A phantom that can be prepared: a `data.datasets.CaseSource`."""

    seed: int
    settings: PhantomSettings
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
        return f"{self.seed} {self.settings} {version('hounsfield')}"

    def make(self) -> PreparedCase:
        """Makes the phantom, and prepares it as any series.

        Raises:
            SeriesError: Its lungs are not found.
        """
        phantom = make_phantom(self.seed, settings=self.settings)
        volume = phantom.volume
        findings = tuple(
            KnownFinding(nodule.centre_world_mm, nodule.diameter_mm, histology=nodule.histology)
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
        wanted = PhantomRecipe.model_validate(yaml.safe_load(recipe.read_text(encoding="utf-8")))
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
    return DatasetContents([PhantomCase(seed, wanted.settings(seed)) for seed in seeds])
