"""`make_phantom`: a digital chest with known answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydicom.uid import generate_uid

from data.phantom.abdomen import make_abdomen
from data.phantom.fields import coverage
from data.phantom.grid import make_grid
from data.phantom.histology import draw_nodule
from data.phantom.lung_vessels import make_lung_vessels
from data.phantom.lungs import make_lungs
from data.phantom.mediastinum import make_mediastinum
from data.phantom.nodules import HISTOLOGIES, paint_nodule
from data.phantom.parenchyma import make_parenchyma
from data.phantom.person import draw_person
from data.phantom.placement import place_nodules
from data.phantom.scanner import KERNEL_NAMES, draw_scanner, scan, table_plane
from data.phantom.settings import PhantomSettings
from data.phantom.thorax import make_thorax
from data.phantom.tissue import AIR_HU, Anatomy, compose_slice, lung_slice
from data.phantom.tubes import paint_tubes
from preprocessing.volume import SeriesFacts, Volume, apply_affine
from preprocessing.working_volume import LEFT_LUNG, RIGHT_LUNG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from data.phantom.grid import Grid
    from data.phantom.lung_vessels import LungVessels, Tubes
    from data.phantom.nodules import Box, NoduleSpec, PaintedNodule
    from data.phantom.person import Person
    from data.phantom.scanner import Scanner

LUNG_BACKGROUND_HU = -860.0


@dataclass(frozen=True, slots=True)
class PhantomNodule:
    """The truth about one nodule.

    Attributes:
        centre_world_mm: Centre of mass, (x, y, z) in LPS mm.
        diameter_mm: Of the sphere of equal volume.
        volume_mm3: Holes inside count, spicules do not.
        spec: What was asked for.
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
    """A study with its truth.

    Attributes:
        volume: The scan.
        nodules: Every nodule in it.
        lung_labels: uint8 on the volume's grid, 0 outside, 1 right, 2 left; with their vessels
            and nodules.
        settings: How it was made.
        seed: From what.
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
) -> Phantom:
    """Makes a chest CT; the same arguments give the same bytes.

    Args:
        seed: Decides the person, the scan and the nodules.
        settings: The grid and the scanner; what they leave open is drawn.
        nodules: What nodules to draw; None draws some of all classes, and an empty sequence none.
    """
    settings = settings or PhantomSettings()
    # A stream for each part: more nodules do not make another person.
    body, growth, lesion, grain, study = np.random.default_rng(seed).spawn(5)
    person = draw_person(body, settings)
    grid = make_grid(settings, person)
    anatomy = _make_anatomy(grid, person, body)
    vessels = make_lung_vessels(
        grid, person, settings, anatomy.lungs, anatomy.mediastinum, growth
    )
    scanner = draw_scanner(settings, _table_y(anatomy), study)
    specs = _draw_specs(settings, lesion) if nodules is None else list(nodules)
    fine, labels = _compose(anatomy, scanner, grain)
    _paint_ducts(fine, anatomy)
    _paint_lung_vessels(fine, anatomy, vessels)
    painted = _paint_nodules(fine, anatomy, vessels, specs, lesion)
    hu = scan(fine, grid, settings, scanner, grain)
    affine = _affine(settings, study)
    facts = _facts(seed, settings, person, scanner)
    truth = tuple(
        _truth(grid, affine, spec, nodule) for spec, nodule in zip(specs, painted, strict=True)
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
    """Some nodules of all classes, benign ones most often."""
    count = settings.nodule_count
    if count is None:
        count = int(rng.integers(1, 6))
    classes = rng.choice(HISTOLOGIES, size=count, p=[0.25, 0.1, 0.15, 0.5])
    return [draw_nodule(str(histology), rng) for histology in classes]


def _compose(
    anatomy: Anatomy, scanner: Scanner, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The body and the table on the fine grid, and the lungs' labels on the finished one."""
    grid = anatomy.grid
    fine = np.empty(grid.shape_zyx, np.float32)
    kept = range(grid.padding, grid.shape_zyx[0] - grid.padding, grid.oversampling)
    labels = np.zeros((len(kept), *grid.shape_zyx[1:]), np.uint8)
    table = table_plane(grid, scanner.table_y_mm)
    left = grid.fine_chest_xy[0] > anatomy.lungs.middle_x_mm
    for index in range(grid.shape_zyx[0]):
        fine[index] = compose_slice(anatomy, index, rng)
        np.copyto(fine[index], table, where=(fine[index] < AIR_HU + 1) & (table > AIR_HU + 1))
        if index in kept:
            inside = lung_slice(anatomy, index) < 0
            labels[kept.index(index)] = inside * np.where(left, LEFT_LUNG, RIGHT_LUNG)
    return fine, labels


def _paint_ducts(fine: NDArray[np.float32], anatomy: Anatomy) -> None:
    """Great vessels, gullet and windpipe."""
    person, grid = anatomy.person, anatomy.grid
    blood = person.blood_hu + person.enhancement_hu
    for kind, value in (("muscle", 40.0), ("blood", blood)):
        for duct in anatomy.mediastinum.ducts:
            if duct.kind == kind:
                _paint(fine, grid, duct.points_xyz, duct.radii_mm, value, -98.0)
    airways = [duct for duct in anatomy.mediastinum.ducts if duct.kind == "air"]
    for duct in airways:
        _paint(fine, grid, duct.points_xyz, duct.radii_mm, 35.0, -98.0)
    for duct in airways:
        _paint(
            fine, grid, duct.points_xyz, duct.radii_mm - duct.wall_mm, AIR_HU, 35.0, keep="darker"
        )


def _paint(
    fine: NDArray[np.float32], grid: Grid, points: NDArray[np.float64], radii: NDArray[np.float64],
    value: float, background: float, *, keep: str = "brighter",
) -> None:  # fmt: skip
    """Paints one bent tube."""
    voxel = grid.voxel_zyx(points)
    paint_tubes(
        fine, grid.spacing_zyx_mm, voxel[:-1], voxel[1:], (radii[:-1] + radii[1:]) / 2,
        value_hu=value, background_hu=background,
        keep="darker" if keep == "darker" else "brighter",
    )  # fmt: skip


def _paint_lung_vessels(
    fine: NDArray[np.float32], anatomy: Anatomy, vessels: LungVessels
) -> None:
    """Walls of the bronchi, then arteries and veins, then the bronchi's air."""
    grid, person = anatomy.grid, anatomy.person
    blood = person.blood_hu + person.enhancement_hu

    def paint(tubes: Tubes, radius: NDArray[np.float64], value: float, background: float, keep: str) -> None:
        paint_tubes(
            fine, grid.spacing_zyx_mm, grid.voxel_zyx(tubes.start), grid.voxel_zyx(tubes.end),
            radius, value_hu=value, background_hu=background,
            keep="darker" if keep == "darker" else "brighter",
        )  # fmt: skip

    bronchi = vessels.bronchi
    paint(bronchi, bronchi.radius_mm + vessels.bronchus_wall_mm, 20.0, LUNG_BACKGROUND_HU, "brighter")
    for tubes in (vessels.arteries, vessels.veins):
        paint(tubes, tubes.radius_mm, blood, LUNG_BACKGROUND_HU, "brighter")
    paint(bronchi, bronchi.radius_mm, AIR_HU, 20.0, "darker")


def _paint_nodules(
    fine: NDArray[np.float32], anatomy: Anatomy, vessels: LungVessels,
    specs: Sequence[NoduleSpec], rng: np.random.Generator,
) -> list[PaintedNodule]:  # fmt: skip
    """Places and draws the nodules; the lung's surface cuts them."""
    if not specs:
        return []
    grid = anatomy.grid

    def lung_share(box: Box) -> NDArray[np.float32]:
        planes = [lung_slice(anatomy, z)[box[1], box[2]] for z in range(box[0].start, box[0].stop)]
        return coverage(np.stack(planes), grid.blur_mm)

    centres = place_nodules(anatomy, vessels, specs, rng)
    voxels = grid.voxel_zyx(np.array(centres))
    z, y, x = grid.spacing_zyx_mm
    return [
        paint_nodule(
            fine, (x, y, z), (float(v[0]), float(v[1]), float(v[2])), spec, rng,
            lung_share=lung_share, enhancement_hu=anatomy.person.enhancement_hu,
        )
        for spec, v in zip(specs, voxels, strict=True)
    ]  # fmt: skip


def _table_y(anatomy: Anatomy) -> float:
    """Scan frame y on which the back lies."""
    inside = (anatomy.thorax.skin_mm < 0).any(axis=(0, 2))
    return float(anatomy.grid.coarse_axes_mm[1][np.flatnonzero(inside)[-1]]) + 1.0


def _affine(settings: PhantomSettings, rng: np.random.Generator) -> NDArray[np.float64]:
    """Axial, head up; the origin as a scanner's couch happens to stand."""
    affine = np.diag([*settings.spacing_mm, 1.0])
    _, rows, columns = settings.shape_zyx
    first = [-(columns - 1) / 2 * settings.spacing_mm[0], -(rows - 1) / 2 * settings.spacing_mm[1]]
    affine[:3, 3] = np.round([*first, rng.uniform(-420, 40)] + np.append(rng.normal(0, 6, 2), 0), 2)
    return affine


def _truth(
    grid: Grid, affine: NDArray[np.float64], spec: NoduleSpec, painted: PaintedNodule
) -> PhantomNodule:
    """Turns fine voxels into the finished volume's world."""
    z, y, x = painted.centre_voxel_zyx
    world = apply_affine(affine, (x, y, (z - grid.padding) / grid.oversampling))
    centre = (float(world[0]), float(world[1]), float(world[2]))
    return PhantomNodule(centre, painted.diameter_mm, painted.volume_mm3, spec)


def _facts(seed: int, settings: PhantomSettings, person: Person, scanner: Scanner) -> SeriesFacts:
    """Header facts; the identifiers are made from the seed and the settings."""
    origin = [f"hounsfield phantom {seed}", repr(settings)]
    return SeriesFacts(
        study_uid=generate_uid(entropy_srcs=[*origin, "study"]),
        series_uid=generate_uid(entropy_srcs=[*origin, "series"]),
        patient_id=f"PHANTOM-{seed:06d}",
        patient_sex="F" if person.female else "M",
        patient_age_years=float(person.age_years),
        study_date="20240101",
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
