"""`make_phantom`: a chest CT with known ground truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
from pydicom.uid import generate_uid

from hounsfield.data.phantom.anatomy.abdomen import make_abdomen
from hounsfield.data.phantom.anatomy.lung_vessels import make_lung_vessels
from hounsfield.data.phantom.anatomy.lungs import make_lungs
from hounsfield.data.phantom.anatomy.mediastinum import make_mediastinum
from hounsfield.data.phantom.anatomy.parenchyma import make_parenchyma
from hounsfield.data.phantom.anatomy.thorax import make_thorax
from hounsfield.data.phantom.anatomy.tissue import Anatomy
from hounsfield.data.phantom.grid import make_grid
from hounsfield.data.phantom.nodules.histology import draw_nodule
from hounsfield.data.phantom.nodules.spec import HISTOLOGIES
from hounsfield.data.phantom.person import draw_person
from hounsfield.data.phantom.rendering import (
    paint_ducts,
    paint_lung_vessels,
    paint_nodules,
    render_organs,
)
from hounsfield.data.phantom.scanner import KERNEL_NAMES, draw_scanner, scan, table_plane
from hounsfield.data.phantom.settings import PhantomSettings
from hounsfield.data.phantom.visit import Motion
from hounsfield.preprocessing.volume import SeriesFacts, Volume, apply_affine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.data.phantom.grid import Grid
    from hounsfield.data.phantom.nodules.painting import PaintedNodule
    from hounsfield.data.phantom.nodules.spec import NoduleSpec
    from hounsfield.data.phantom.person import Person
    from hounsfield.data.phantom.scanner import Scanner
    from hounsfield.data.phantom.visit import Visit

FIRST_SCAN = date(2024, 1, 1)

_SPEC_TEXT = (
    "NoduleSpec(diameter_mm={0.diameter_mm!r}, density={0.density!r}, margin={0.margin!r}, "
    "place={0.place!r}, cavity={0.cavity!r}, necrosis={0.necrosis!r}, solid_"
    "share={0.solid_fraction!r}, elongation={0.elongation!r}, histology={0.histology!r})"
)
"""UIDs are derived from this text, so it keeps the attributes' first names."""


@dataclass(frozen=True, slots=True)
class PhantomNodule:
    """Ground truth of one nodule.

    Attributes:
        centre_world_mm: Centre of mass, (x, y, z) in LPS mm.
        diameter_mm: Diameter of the sphere of equal volume.
        volume_mm3: A cavity counts, spicules do not.
        spec: Specification, grown to the visit.
    """

    centre_world_mm: tuple[float, float, float]
    diameter_mm: float
    volume_mm3: float
    spec: NoduleSpec

    @property
    def density(self) -> str:
        """``solid``, ``part_solid``, ``ground_glass`` or ``calcified``."""
        return self.spec.density

    @property
    def margin(self) -> str:
        """``smooth``, ``lobulated`` or ``spiculated``."""
        return self.spec.margin

    @property
    def place(self) -> str:
        """``isolated``, ``vessel``, ``pleura`` or ``hilar``."""
        return self.spec.place

    @property
    def histology(self) -> str:
        """One of the four classes; ``normal`` is benign."""
        return self.spec.histology

    @property
    def malignant(self) -> bool:
        """Whether it stands for a cancer."""
        return self.spec.malignant


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A CT series with its ground truth.

    Attributes:
        volume: The scan in HU on its native grid.
        nodules: Every nodule in the scan.
        lung_labels: uint8 on the volume's grid, 0 outside, 1 right, 2 left lung, vessels and
            nodules included.
        settings: The settings from which it was made.
        seed: The seed from which it was made.
    """

    volume: Volume
    nodules: tuple[PhantomNodule, ...]
    lung_labels: NDArray[np.uint8]
    settings: PhantomSettings
    seed: int


def make_phantom(
    seed: int,
    *,
    settings: PhantomSettings | None = None,
    nodules: Sequence[NoduleSpec] | None = None,
    visit: Visit | None = None,
) -> Phantom:
    """Makes a chest CT; the same arguments give the same bytes.

    Args:
        seed: Decides the person, the scan and the nodules.
        settings: Grid and scanner; settings that are None are drawn from the seed.
        nodules: Specifications of the nodules; None draws nodules of all classes, and an empty
            sequence gives a chest without nodules.
        visit: A follow-up of the person whom the other arguments make; None is the first scan.

    Returns:
        The scan with its ground truth.

    Raises:
        ValueError: Nodules are specified, but the field of view holds no lung.
    """
    settings = settings or PhantomSettings()
    # A stream for each part: more nodules do not make another person.
    body, growth, lesion, grain, study = np.random.default_rng(seed).spawn(5)
    person = draw_person(body, settings)
    grid = make_grid(settings, person)
    anatomy = _make_anatomy(grid, person, body)
    vessels = make_lung_vessels(grid, person, settings, anatomy.lungs, anatomy.mediastinum, growth)
    scanner = draw_scanner(settings, _table_y(anatomy), study)
    specs = _draw_specs(settings, lesion) if nodules is None else list(nodules)
    fine, labels = render_organs(anatomy, table_plane(grid, scanner.table_y_mm), grain)
    paint_ducts(fine, anatomy)
    paint_lung_vessels(fine, anatomy, vessels)
    motion = None
    if visit is not None:
        motion = Motion(grid, person, visit)
        fine, labels = motion.moved(fine, labels)
        # The noise and the couch are those of another day.
        grain, study = np.random.default_rng([seed, 1 + visit.days]).spawn(2)
    painted = paint_nodules(fine, anatomy, vessels, specs, lesion, motion)
    hu = scan(fine, grid, settings, scanner, grain)
    affine = _affine(settings, study)
    facts = _facts(_origin(seed, settings, specs, visit), seed, person, scanner)
    if visit is not None:
        facts = replace(facts, study_date=f"{FIRST_SCAN + timedelta(visit.days):%Y%m%d}")
        specs = [spec for spec in visit.grown(specs) if spec is not None]
    truth = tuple(
        _truth(grid, affine, spec, nodule)
        for spec, nodule in zip(specs, filter(None, painted), strict=True)
    )
    volume = Volume(hu, affine, facts)
    return Phantom(volume, truth, labels, settings, seed)


def _make_anatomy(grid: Grid, person: Person, rng: np.random.Generator) -> Anatomy:
    """Builds the organs from the outside in."""
    thorax = make_thorax(grid, person, rng)
    mediastinum = make_mediastinum(grid, person)
    abdomen = make_abdomen(grid, person, thorax, rng)
    lungs = make_lungs(grid, person, thorax, mediastinum, abdomen, rng)
    parenchyma = make_parenchyma(grid, person, lungs, rng)
    return Anatomy(grid, person, thorax, mediastinum, abdomen, lungs, parenchyma)


def _draw_specs(settings: PhantomSettings, rng: np.random.Generator) -> list[NoduleSpec]:
    """Draws nodules of all classes, benign ones most often."""
    any_count = int(rng.integers(1, 6))
    count = any_count if settings.nodule_count is None else settings.nodule_count
    classes = rng.choice(HISTOLOGIES, size=count, p=[0.25, 0.1, 0.15, 0.5])
    return [draw_nodule(str(histology), rng) for histology in classes]


def _table_y(anatomy: Anatomy) -> float:
    """Scan frame y of the table's top, just below the back."""
    inside = (anatomy.thorax.skin_mm < 0).any(axis=(0, 2))
    return float(anatomy.grid.coarse_axes_mm[1][np.flatnonzero(inside)[-1]]) + 1.0


def _affine(settings: PhantomSettings, rng: np.random.Generator) -> NDArray[np.float64]:
    """Axial, head up; the origin depends on where the couch happens to be."""
    affine = np.diag([*settings.spacing_mm, 1.0])
    _, rows, columns = settings.shape_zyx
    first = [-(columns - 1) / 2 * settings.spacing_mm[0], -(rows - 1) / 2 * settings.spacing_mm[1]]
    couch = [*rng.normal(0, 6, 2), rng.uniform(-420, 40)]
    affine[:3, 3] = np.round(np.add([*first, 0.0], couch), 2)
    return affine


def _truth(
    grid: Grid, affine: NDArray[np.float64], spec: NoduleSpec, painted: PaintedNodule
) -> PhantomNodule:
    """Converts fine voxels to LPS mm of the finished volume."""
    z, y, x = painted.centre_voxel_zyx
    world = apply_affine(affine, (x, y, (z - grid.padding) / grid.oversampling))
    centre = (float(world[0]), float(world[1]), float(world[2]))
    return PhantomNodule(centre, painted.diameter_mm, painted.volume_mm3, spec)


def _origin(
    seed: int, settings: PhantomSettings, specs: Sequence[NoduleSpec], visit: Visit | None
) -> str:
    """All that decides the bytes of a phantom, as a text."""
    nodules = ", ".join(_SPEC_TEXT.format(spec) for spec in specs)
    first_scan = f"{seed} {settings} [{nodules}]"
    return first_scan if visit is None else f"{first_scan} {visit}"


def _facts(origin: str, seed: int, person: Person, scanner: Scanner) -> SeriesFacts:
    """Header attributes; the UIDs are derived from `origin`."""
    return SeriesFacts(
        study_uid=generate_uid(entropy_srcs=["hounsfield phantom study", origin]),
        series_uid=generate_uid(entropy_srcs=["hounsfield phantom series", origin]),
        patient_id=f"PHANTOM-{seed:06d}",
        patient_sex="F" if person.female else "M",
        patient_age_years=float(person.age_years),
        study_date=f"{FIRST_SCAN:%Y%m%d}",
        study_description="Digital chest phantom",
        series_description=f"Chest {scanner.thickness_mm:g} mm {scanner.kernel}",
        series_number=2,
        modality="CT",
        manufacturer="Hounsfield",
        manufacturer_model_name="Digital phantom",
        convolution_kernel=KERNEL_NAMES[scanner.kernel],
        slice_thickness_mm=scanner.thickness_mm,
        kvp=120.0,
        contrast_bolus_agent="Iodine" if person.enhancement_hu > 0 else "",
        body_part_examined="CHEST",
        patient_position="HFS",
        image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
    )
