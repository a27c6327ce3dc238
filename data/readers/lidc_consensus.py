"""Merges the outlines of LIDC-IDRI's readers into the nodules on which they agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.annotations.polygons import pixels_inside
from hounsfield.data.annotations.voxel_regions import VoxelRegion, image_voxels, source_affines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from hounsfield.data.readers.lidc_xml import ReaderNodule
    from hounsfield.preprocessing.volume import Volume

MIN_OVERLAP = 0.5
"""Two marks belong to the same nodule where this fraction of the smaller lies in the other."""


@dataclass(frozen=True, slots=True, eq=False)
class ConsensusNodule:
    """A nodule that one or more readers outlined.

    Attributes:
        centre_world_mm: Mean of the readers' centres, (x, y, z) in LPS mm.
        diameter_mm: Mean of the readers' diameters, each of the sphere of the outlined volume.
        readers: Number of readers who outlined it, 1 to 4.
        ratings: Median of the readers' ratings, by characteristic.
        majority: The voxels inside the outlines of at least half of those readers.
    """

    centre_world_mm: tuple[float, float, float]
    diameter_mm: float
    readers: int
    ratings: Mapping[str, float]
    majority: VoxelRegion


def consensus_nodules(
    nodules: Iterable[ReaderNodule], volume: Volume, *, with_edge: bool = False
) -> tuple[ConsensusNodule, ...]:
    """Merges the readers' nodules, and sorts them from head to foot.

    Two marks belong to one nodule where their centres are closer than the larger radius, or where
    `MIN_OVERLAP` of the smaller lies in the other. Centre and diameter are averaged over the
    readers, as for LUNA16 (Setio et al. 2017, doi 10.1016/j.media.2017.06.015).

    Args:
        nodules: Outlined nodules of all readers of one series.
        volume: The series, with the positions of its original images.
        with_edge: Whether the pixels under an outline count, see `reader_region`.

    Returns:
        One nodule for each group of marks.

    Raises:
        SeriesError: An outline names an image that is not in the series, or leaves it.
    """
    marks = [
        (nodule, region)
        for nodule in nodules
        if len(region := reader_region(nodule, volume, with_edge=with_edge))
    ]
    merged = [_merge([marks[index] for index in group]) for group in _groups(marks)]
    return tuple(sorted(merged, key=lambda nodule: -nodule.centre_world_mm[2]))


def reader_region(nodule: ReaderNodule, volume: Volume, *, with_edge: bool = False) -> VoxelRegion:
    """Gives the voxels of one reader's nodule.

    An outline runs over the first pixels outside the nodule, so these are not part of it; the
    outline of a hole is part of the nodule. A nodule too thin to hold a pixel is its outline.

    Args:
        nodule: The outlines of one reader.
        volume: The series, with the positions of its original images.
        with_edge: Whether the outline's own pixels count nevertheless, as in the DICOM
            segmentations that others made from these readings.

    Returns:
        The voxels, outlines of holes cut out.

    Raises:
        SeriesError: An outline names an image that is not in the series, or leaves it.
    """
    inside, holes = (
        VoxelRegion.of(_outlined(nodule, volume, inclusion, with_edge=edge), volume)
        for inclusion, edge in ((True, with_edge), (False, False))
    )
    if not len(inside) and not with_edge:
        return reader_region(nodule, volume, with_edge=True)
    return inside.without(holes)


def _outlined(
    nodule: ReaderNodule, volume: Volume, inclusion: bool, *, with_edge: bool
) -> Iterator[NDArray[np.int64]]:
    """Voxels [z, y, x] inside each outline of a kind: of nodule, or of a hole."""
    affines = source_affines(volume)
    for outline in nodule.outlines:
        if outline.inclusion == inclusion:
            uid = outline.sop_instance_uid
            image_voxels(outline.points_xy, uid, affines, volume)  # refuses corners outside
            pixels = pixels_inside(outline.points_xy, with_edge=with_edge)
            yield image_voxels(pixels, uid, affines, volume)


def _groups(marks: Sequence[tuple[ReaderNodule, VoxelRegion]]) -> list[list[int]]:
    """Indices of the marks, grouped where a chain of agreeing marks connects them."""
    groups: list[list[int]] = []
    for index, (_, region) in enumerate(marks):
        connected = [
            group for group in groups if any(_agree(region, marks[other][1]) for other in group)
        ]
        groups = [group for group in groups if group not in connected]
        groups.append([*(other for group in connected for other in group), index])
    return groups


def _agree(first: VoxelRegion, second: VoxelRegion) -> bool:
    distance = np.linalg.norm(np.subtract(first.centre_world_mm, second.centre_world_mm))
    if distance < max(first.diameter_mm, second.diameter_mm) / 2:
        return True
    return first.shared(second) >= MIN_OVERLAP * min(len(first), len(second))


def _merge(marks: Sequence[tuple[ReaderNodule, VoxelRegion]]) -> ConsensusNodule:
    """Merges marks into one nodule; a reader who marked it in pieces counts once."""
    by_reader: dict[int, VoxelRegion] = {}
    for nodule, region in marks:
        piece = by_reader.get(nodule.reader)
        by_reader[nodule.reader] = region if piece is None else piece.joined(region)
    regions = list(by_reader.values())
    x, y, z = np.mean([region.centre_world_mm for region in regions], axis=0).tolist()
    names = {name for nodule, _ in marks for name in nodule.ratings}
    return ConsensusNodule(
        centre_world_mm=(x, y, z),
        diameter_mm=float(np.mean([region.diameter_mm for region in regions])),
        readers=len(regions),
        ratings={
            name: float(
                np.median([nodule.ratings[name] for nodule, _ in marks if name in nodule.ratings])
            )
            for name in sorted(names)
        },
        majority=VoxelRegion.majority(regions),
    )
