"""Brings a volume to a standard orientation by swaps and flips of its axes, without resampling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.volume import Volume

    Scalar = TypeVar("Scalar", bound=np.generic[Any])

TIE_DIGITS = 4
"""Directions are compared to so many decimals. Stacks turned by exactly 45 degrees have two upright
orders of their axes; headers round cosines in the sixth decimal and later."""


@dataclass(frozen=True, slots=True)
class Reorientation:
    """Swaps and then flips of the axes of an array.

    Attributes:
        order_zyx: The axis that becomes each of the axes z, y, x.
        flipped: Axes that are reversed after the swap, 0 for z, 1 for y, 2 for x.
    """

    order_zyx: tuple[int, int, int] = (0, 1, 2)
    flipped: tuple[int, ...] = ()

    def view(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """View an array in the other orientation: what is written into the view lands in the array.

        Args:
            array: ``[z, y, x]`` of a grid.

        Returns:
            The same voxels with swapped and flipped axes.
        """
        return np.flip(array.transpose(self.order_zyx), self.flipped)


def to_upright(affine: NDArray[np.float64]) -> Reorientation:
    """Finds what makes a grid upright; the result depends on the patient, not on the storage.

    Args:
        affine: 4 x 4 with orthogonal columns, maps (x, y, z) indices to LPS mm.

    Returns:
        The reorientation that leaves the smallest rotation, below 63 degrees: the largest that
        symmetries of the cube leave (Mackenzie, Biometrika 1958;45:229). An upright grid is
        right-handed, whether the stored one is or not.
    """
    cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)

    def preference(order_xyz: tuple[int, ...]) -> tuple[float, ...]:
        columns = cosines[:, order_xyz]
        directions = columns * np.where(np.diag(columns) < 0, -1, 1)
        return (
            round(float(np.trace(directions)), TIE_DIGITS),
            *directions.round(TIE_DIGITS).ravel().tolist(),
        )

    x, y, z = max(permutations(range(3)), key=preference)
    against = (axis for axis, source in enumerate((x, y, z)) if cosines[axis, source] < 0)
    return Reorientation((2 - z, 2 - y, 2 - x), tuple(2 - axis for axis in against))


def reoriented(volume: Volume, reorientation: Reorientation) -> Volume:
    """Returns the same voxels at the same places, stored in another order.

    Args:
        volume: A series on any grid.
        reorientation: Which axis goes where.

    Returns:
        A volume whose HU are a view of the argument's, so not in C order as a rule. Its source
        frames are the same, each with its own place in the patient. Which slices were filled is
        not known of it: they are no slices of this grid.
    """
    hu = reorientation.view(volume.hu)
    affine = volume.affine.copy()
    affine[:3, :3] = volume.affine[:3, [2 - axis for axis in reversed(reorientation.order_zyx)]]
    for axis in reorientation.flipped:
        affine[:3, 3] += affine[:3, 2 - axis] * (hu.shape[axis] - 1)
        affine[:3, 2 - axis] *= -1
    return replace(volume, hu=hu, affine=affine, filled_slices=())


def upright_view(volume: Volume) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Views a volume with x to the patient's left, y to the back and z to the head.

    Sagittal, coronal, feet-first and prone series all come out alike. An oblique series keeps
    its residual rotation, below 63 degrees, in the affine.

    Args:
        volume: A series on its native grid, in any orientation.

    Returns:
        The HU as a view, ``[z, y, x]``, and the affine that maps its (x, y, z) indices to
        LPS mm.
    """
    view = upright(volume)
    return view.hu, view.affine.copy()


def upright(volume: Volume) -> Volume:
    """Returns the same series on an upright grid; the analysis runs on it.

    Networks and measurements follow the axes of their array, and scanners and converters store one
    scan in any of 48 ways. Upright, all of them are the same.

    Args:
        volume: A series on its native grid, in any orientation.

    Returns:
        The argument itself where it is upright already, else `reoriented`.
    """
    reorientation = to_upright(volume.affine)
    return volume if reorientation == Reorientation() else reoriented(volume, reorientation)
