"""A region of a volume as a list of voxels, and the mapping from original images to voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.volume import apply_affine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from hounsfield.preprocessing.volume import Volume


MAX_UID_CHARACTERS = 64

MAX_OUTSIDE_VOXELS = 1.0
"""So far outside the outermost voxels a mark may lie: an outline runs around its nodule."""


@dataclass(frozen=True, slots=True, eq=False)
class VoxelRegion:
    """Some voxels of a volume, each listed once, in order.

    Attributes:
        flat: Indices into the raveled volume, increasing.
        shape_zyx: Shape of the volume.
        affine: 4 x 4, maps (x, y, z) indices of the volume to LPS mm.
    """

    flat: NDArray[np.int64]
    shape_zyx: tuple[int, int, int]
    affine: NDArray[np.float64]

    @classmethod
    def of(cls, parts_zyx: Iterable[NDArray[np.int64]], volume: Volume) -> VoxelRegion:
        """Collects the voxels of all parts, one part at a time: the rest need not exist yet.

        Args:
            parts_zyx: Voxel indices, each of shape (n, 3); those outside the volume are dropped.
            volume: The volume to which the indices refer.

        Returns:
            The region.
        """
        flat = np.empty(0, np.int64)
        for voxels in parts_zyx:
            inside = ((voxels >= 0) & (voxels < volume.shape_zyx)).all(axis=1)
            part = np.ravel_multi_index(tuple(voxels[inside].T), volume.shape_zyx)
            flat = np.union1d(flat, part)
        return cls(flat, volume.shape_zyx, volume.affine)

    @classmethod
    def majority(cls, regions: Sequence[VoxelRegion]) -> VoxelRegion:
        """The voxels that lie in at least half of the regions of one volume."""
        flat, counts = np.unique(
            np.concatenate([region.flat for region in regions]), return_counts=True
        )
        return cls(flat[2 * counts >= len(regions)], regions[0].shape_zyx, regions[0].affine)

    @classmethod
    def union(cls, regions: Sequence[VoxelRegion], volume: Volume) -> VoxelRegion:
        """Unites regions.

        Args:
            regions: Regions of `volume`; none give an empty region.
            volume: The volume to which the regions belong.

        Returns:
            The voxels that lie in any of the regions.
        """
        flat = np.concatenate([np.empty(0, np.int64), *(region.flat for region in regions)])
        return cls(np.unique(flat), volume.shape_zyx, volume.affine)

    def __len__(self) -> int:
        """Number of voxels."""
        return len(self.flat)

    @property
    def voxels_zyx(self) -> NDArray[np.int64]:
        """Indices, shape (n, 3)."""
        return np.stack(np.unravel_index(self.flat, self.shape_zyx), axis=1)

    @property
    def centre_world_mm(self) -> tuple[float, float, float]:
        """Centre of mass, (x, y, z) in LPS mm."""
        x, y, z = apply_affine(self.affine, self.voxels_zyx.mean(axis=0)[::-1]).tolist()
        return (x, y, z)

    @property
    def diameter_mm(self) -> float:
        """Diameter of the sphere of the same volume."""
        voxel_mm3 = abs(float(np.linalg.det(self.affine[:3, :3])))
        return float(np.cbrt(6 / np.pi * len(self) * voxel_mm3))

    def shared(self, other: VoxelRegion) -> int:
        """Counts the voxels that lie in both."""
        return len(np.intersect1d(self.flat, other.flat, assume_unique=True))

    def joined(self, other: VoxelRegion) -> VoxelRegion:
        """The voxels of either."""
        return VoxelRegion(np.union1d(self.flat, other.flat), self.shape_zyx, self.affine)

    def either(self, other: VoxelRegion) -> VoxelRegion:
        """The voxels of one or the other, not of both."""
        flat = np.setxor1d(self.flat, other.flat, assume_unique=True)
        return VoxelRegion(flat, self.shape_zyx, self.affine)

    def without(self, other: VoxelRegion) -> VoxelRegion:
        """The voxels that are not in the other."""
        flat = np.setdiff1d(self.flat, other.flat, assume_unique=True)
        return VoxelRegion(flat, self.shape_zyx, self.affine)


def source_affines(volume: Volume) -> dict[str, NDArray[np.float64]]:
    """Gives the affine of each original image.

    Args:
        volume: A volume read from DICOM; others have no original images.

    Returns:
        By SOPInstanceUID: 4 x 4, maps (column, row, 0) to LPS mm.
    """
    return {frame.sop_instance_uid: frame.affine for frame in volume.source_frames}


def require_inside(voxels_xyz: NDArray[np.float64], volume: Volume, what: str) -> None:
    """Refuses positions outside a volume, before anything of their extent is allocated.

    Args:
        voxels_xyz: (x, y, z) voxel indices, fractional ones too, shape (n, 3).
        volume: The volume that is annotated.
        what: The positions, as the subject of the sentence: ``A mark``.

    Raises:
        SeriesError: One is no number, or lies more than `MAX_OUTSIDE_VOXELS` outside.
    """
    reach = 0.5 + MAX_OUTSIDE_VOXELS
    shape_xyz = np.array(volume.shape_zyx[::-1])
    inside = ((voxels_xyz >= -reach) & (voxels_xyz <= shape_xyz - 1 + reach)).all(axis=1)
    if not inside.all():
        x, y, z = voxels_xyz[np.argmin(inside)].tolist()
        columns, rows, slices = shape_xyz.tolist()
        msg = (
            f"{what} lies outside the series: at voxel ({x:.6g}, {y:.6g}, {z:.6g}) of "
            f"{columns} x {rows} x {slices}; download the annotations again"
        )
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)


def image_world_mm(
    pixels_xy: ArrayLike, sop_instance_uid: str, affines: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Maps pixels of an original image to LPS mm.

    Args:
        pixels_xy: (column, row), fractional ones too, shape (n, 2).
        sop_instance_uid: The image to which the pixels belong.
        affines: The affine of each image, from `source_affines`.

    Returns:
        LPS mm, shape (n, 3).

    Raises:
        SeriesError: The image is not in the series.
    """
    affine = affines.get(sop_instance_uid)
    if affine is None:
        msg = (
            f"A mark is on the image {sop_instance_uid[:MAX_UID_CHARACTERS]}, which is not in "
            "the series: the download may be incomplete"
        )
        raise SeriesError(Reason.MISSING_SLICES, msg)
    pixels = np.asarray(pixels_xy, dtype=np.float64).reshape(-1, 2)
    return apply_affine(affine, np.column_stack([pixels, np.zeros(len(pixels))]))


def image_voxels(
    pixels_xy: ArrayLike,
    sop_instance_uid: str,
    affines: Mapping[str, NDArray[np.float64]],
    volume: Volume,
) -> NDArray[np.int64]:
    """Maps pixels of an original image to the nearest voxels of the volume.

    Args:
        pixels_xy: (column, row), fractional ones too, shape (n, 2).
        sop_instance_uid: The image to which the pixels belong.
        affines: The affine of each image, from `source_affines`.
        volume: The volume made from the images.

    Returns:
        Voxel indices, [z, y, x], shape (n, 3); some may lie `MAX_OUTSIDE_VOXELS` outside the
        volume.

    Raises:
        SeriesError: The image is not in the series, or a pixel lies farther outside.
    """
    voxels_xyz = volume.voxel_xyz(image_world_mm(pixels_xy, sop_instance_uid, affines))
    require_inside(voxels_xyz, volume, "A mark")
    return np.rint(voxels_xyz).astype(np.int64)[:, ::-1]
