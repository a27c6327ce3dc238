"""From the outlines of LIDC-IDRI's readers to the nodules on which they agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.annotations.polygons import pixels_inside
from hounsfield.data.annotations.voxel_regions import VoxelRegion, image_voxels, source_affines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from hounsfield.data.readers.lidc_xml import ReaderNodule
    from hounsfield.preprocessing.volume import Volume

SHARED_PART = 0.5
"""Marks of which the smaller lies in the other by this part are of the same nodule."""


@dataclass(frozen=True, slots=True, eq=False)
class ConsensusNodule:
    """A nodule that one or more readers outlined.

    Attributes:
        centre_world_mm: Mean of the readers' centres, (x, y, z) in LPS mm.
        diameter_mm: Mean of the readers' diameters, each of the sphere of the outlined volume.
        readers: How many outlined it, 1 to 4.
        ratings: Median of the readers', by characteristic.
        majority: The voxels that at least half of those readers hold to be nodule.
    """

    centre_world_mm: tuple[float, float, float]
    diameter_mm: float
    readers: int
    ratings: Mapping[str, float]
    majority: VoxelRegion


def consensus_nodules(
    nodules: Iterable[ReaderNodule], volume: Volume, *, with_edge: bool = False
) -> tuple[ConsensusNodule, ...]:
    """Merges the readers' nodules, from head to foot.

    Two marks are of one nodule where their centres are closer than the larger radius, or where
    the smaller lies by `SHARED_PART` in the other. Centre and diameter are averaged over the
    readers, as for LUNA16 (Setio et al. 2017, doi 10.1016/j.media.2017.06.015).

    Args:
        nodules: Of all readers of one series.
        volume: The series.
        with_edge: As for `reader_region`.

    Raises:
        SeriesError: An outline names an image that is not in the series.
    """
    marks = [
        (nodule, region)
        for nodule in nodules
        if len(region := reader_region(nodule, volume, with_edge=with_edge))
    ]
    merged = [_merge([marks[index] for index in group]) for group in _groups(marks)]
    return tuple(sorted(merged, key=lambda one: -one.centre_world_mm[2]))


def reader_region(nodule: ReaderNodule, volume: Volume, *, with_edge: bool = False) -> VoxelRegion:
    """The voxels of one reader's nodule.

    An outline runs over the first pixels outside the nodule, so these are not part of it; the
    outline of a hole stays in the nodule. A nodule too thin to hold a pixel is its outline.

    Args:
        nodule: What the reader drew.
        volume: The series.
        with_edge: Counts the outline's own pixels in all the same, as the DICOM segmentations
            that others made of these readings do.

    Raises:
        SeriesError: An outline names an image that is not in the series.
    """
    affines = source_affines(volume)
    parts: dict[bool, list[NDArray[np.int64]]] = {True: [], False: []}
    for outline in nodule.outlines:
        edge = with_edge and outline.inclusion
        pixels = pixels_inside(outline.points_xy, with_edge=edge)
        parts[outline.inclusion].append(
            image_voxels(pixels, outline.sop_instance_uid, affines, volume)
        )
    inside = VoxelRegion.of(parts[True], volume)
    if not len(inside) and not with_edge:
        return reader_region(nodule, volume, with_edge=True)
    return inside.without(VoxelRegion.of(parts[False], volume))


def _groups(marks: Sequence[tuple[ReaderNodule, VoxelRegion]]) -> list[list[int]]:
    """Indices of the marks, together where a chain of agreeing marks joins them."""
    groups: list[list[int]] = []
    for index, (_, region) in enumerate(marks):
        touched = [
            group for group in groups if any(_agree(region, marks[other][1]) for other in group)
        ]
        groups = [group for group in groups if group not in touched]
        groups.append([*(other for group in touched for other in group), index])
    return groups


def _agree(one: VoxelRegion, other: VoxelRegion) -> bool:
    distance = np.linalg.norm(np.subtract(one.centre_world_mm, other.centre_world_mm))
    if distance < max(one.diameter_mm, other.diameter_mm) / 2:
        return True
    return one.shared(other) >= SHARED_PART * min(len(one), len(other))


def _merge(marks: Sequence[tuple[ReaderNodule, VoxelRegion]]) -> ConsensusNodule:
    """One nodule of the marks; a reader who marked it in pieces counts once."""
    by_reader: dict[int, VoxelRegion] = {}
    for nodule, region in marks:
        known = by_reader.get(nodule.reader)
        by_reader[nodule.reader] = region if known is None else known.joined(region)
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
