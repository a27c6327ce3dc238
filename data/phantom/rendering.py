"""Renders a person on the fine grid: organs slice by slice, then tubes, then nodules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.anatomy.tissue import AIR_HU, compose_slice, lung_slice
from hounsfield.data.phantom.anatomy.tubes import paint_tubes
from hounsfield.data.phantom.fields import coverage
from hounsfield.data.phantom.nodules.painting import paint_nodule
from hounsfield.data.phantom.nodules.placement import place_nodules
from hounsfield.preprocessing.working_volume import LEFT_LUNG, RIGHT_LUNG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.data.phantom.anatomy.lung_vessels import LungVessels
    from hounsfield.data.phantom.anatomy.tissue import Anatomy
    from hounsfield.data.phantom.nodules.painting import Box, PaintedNodule
    from hounsfield.data.phantom.nodules.spec import NoduleSpec
    from hounsfield.data.phantom.visit import Motion

LUNG_HU, MEDIASTINUM_HU = -860.0, -98.0
"""HU assumed for the rest of partly filled voxels at the edges of tubes."""
WALL_HU = 30.0


def render_organs(
    anatomy: Anatomy, table_hu: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Renders the body on its table.

    Args:
        anatomy: Organs on the coarse grid.
        table_hu: HU of the table alone, shape (rows, columns) of the fine grid.
        rng: Random stream of the marrow's texture, used slice by slice.

    Returns:
        HU on the fine grid, and uint8 lung labels on the finished grid.
    """
    grid = anatomy.grid
    fine = np.empty(grid.shape_zyx, np.float32)
    finished = range(grid.padding, grid.shape_zyx[0] - grid.padding, grid.oversampling)
    labels = np.zeros((len(finished), *grid.shape_zyx[1:]), np.uint8)
    left = grid.fine_chest_xy[0] > anatomy.lungs.middle_x_mm
    sides = np.where(left, np.uint8(LEFT_LUNG), np.uint8(RIGHT_LUNG))
    for index in range(grid.shape_zyx[0]):
        fine[index] = compose_slice(anatomy, index, rng)
        on_table = (fine[index] < AIR_HU + 1) & (table_hu > AIR_HU + 1)
        np.copyto(fine[index], table_hu, where=on_table)
        if index in finished:
            labels[finished.index(index)] = (lung_slice(anatomy, index) < 0) * sides
    return fine, labels


def paint_ducts(fine: NDArray[np.float32], anatomy: Anatomy) -> None:
    """Paints great vessels, oesophagus and trachea.

    Args:
        fine: HU on the fine grid, ``[z, y, x]``; changed in place.
        anatomy: Supplies the ducts, the HU of the blood and the grid.
    """
    person, grid = anatomy.person, anatomy.grid
    blood_hu = person.blood_hu + person.enhancement_hu

    def paint(kind: str, value_hu: float, background_hu: float, *, lumen: bool = False) -> None:
        for duct in anatomy.mediastinum.ducts:
            if duct.kind != kind:
                continue
            voxel = grid.voxel_zyx(duct.points_xyz)
            radii = duct.radii_mm - (duct.wall_mm if lumen else 0.0)
            paint_tubes(
                fine,
                grid.spacing_zyx_mm,
                voxel[:-1],
                voxel[1:],
                (radii[:-1] + radii[1:]) / 2,
                value_hu=value_hu,
                background_hu=background_hu,
                keep="darker" if lumen else "brighter",
            )

    paint("muscle", 40.0, MEDIASTINUM_HU)
    paint("blood", blood_hu, MEDIASTINUM_HU)
    paint("air", WALL_HU, MEDIASTINUM_HU)
    paint("air", AIR_HU, WALL_HU, lumen=True)


def paint_lung_vessels(fine: NDArray[np.float32], anatomy: Anatomy, vessels: LungVessels) -> None:
    """Paints the walls of the bronchi, then arteries and veins, then the bronchial lumens.

    Args:
        fine: HU on the fine grid, ``[z, y, x]``; changed in place.
        anatomy: Supplies the HU of the blood and the grid.
        vessels: Pieces of tube in the chest frame.
    """
    grid, person = anatomy.grid, anatomy.person
    blood_hu = person.blood_hu + person.enhancement_hu
    bronchi = vessels.bronchi
    outside_mm = bronchi.radius_mm + vessels.bronchus_wall_mm
    for tubes, radius_mm, value_hu in (
        (bronchi, outside_mm, WALL_HU - 10),
        (vessels.arteries, vessels.arteries.radius_mm, blood_hu),
        (vessels.veins, vessels.veins.radius_mm, blood_hu),
    ):
        paint_tubes(
            fine,
            grid.spacing_zyx_mm,
            grid.voxel_zyx(tubes.start),
            grid.voxel_zyx(tubes.end),
            radius_mm,
            value_hu=value_hu,
            background_hu=LUNG_HU,
        )
    paint_tubes(
        fine,
        grid.spacing_zyx_mm,
        grid.voxel_zyx(bronchi.start),
        grid.voxel_zyx(bronchi.end),
        bronchi.radius_mm,
        value_hu=AIR_HU,
        background_hu=WALL_HU - 10,
        keep="darker",
    )


def paint_nodules(
    fine: NDArray[np.float32],
    anatomy: Anatomy,
    vessels: LungVessels,
    specs: Sequence[NoduleSpec],
    rng: np.random.Generator,
    motion: Motion | None = None,
) -> list[PaintedNodule | None]:
    """Places and paints the nodules; the surface of the lung cuts them.

    Args:
        fine: HU on the fine grid, ``[z, y, x]``, already moved where `motion` is given; changed in
            place.
        anatomy: Organs at the first scan.
        vessels: Vessels at the first scan; nodules touch or avoid them.
        specs: Nodules at the first scan, which decide the places.
        rng: Random stream of places, shapes and textures.
        motion: Moves the places to a later visit and lets the nodules grow.

    Returns:
        One entry per specification; None for a nodule that is absent at the visit.
    """
    if not specs:
        return []
    grid = anatomy.grid

    def lung_fraction(box: Box) -> NDArray[np.float32]:
        if motion is not None:
            return motion.lung_fraction(anatomy, box)
        planes = [lung_slice(anatomy, z)[box[1], box[2]] for z in range(box[0].start, box[0].stop)]
        return coverage(np.stack(planes), grid.blur_mm)

    centres = grid.voxel_zyx(np.array(place_nodules(anatomy, vessels, specs, rng)))
    present: Sequence[NoduleSpec | None] = specs
    if motion is not None:
        centres, present = motion.moved_voxel_zyx(centres), motion.visit.grown(list(specs))
    z_mm, y_mm, x_mm = grid.spacing_zyx_mm
    painted: list[PaintedNodule | None] = []
    for spec, (z, y, x) in zip(present, centres, strict=True):
        if spec is None:
            painted.append(None)
            continue
        painted.append(
            paint_nodule(
                fine,
                (x_mm, y_mm, z_mm),
                (float(z), float(y), float(x)),
                spec,
                rng,
                lung_fraction=lung_fraction,
                enhancement_hu=anatomy.person.enhancement_hu,
            )
        )
    return painted
