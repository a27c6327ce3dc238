"""`Plane`: one image plane of an instance, and its place along the normal of a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hounsfield.preprocessing.geometry.slice_geometry import slice_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.preprocessing.dicom.headers.acquisition import Acquisition
    from hounsfield.preprocessing.dicom.headers.instance import Instance
    from hounsfield.preprocessing.geometry.frame import Frame


class Plane(NamedTuple):
    """One image plane: an instance and one of its frames."""

    instance: Instance
    frame: Frame

    @property
    def acquisition(self) -> Acquisition:
        """When and how the plane was acquired."""
        return self.instance.acquisition_of(self.frame)

    @property
    def name(self) -> str:
        """The name of its file, with the number of the frame where there are several."""
        source = self.instance.source.name
        return f"{source} frame {self.frame.number}" if len(self.instance.frames) > 1 else source


def depths_mm(planes: Sequence[Plane], like: Plane) -> NDArray[np.float64]:
    """Returns the positions of planes along the normal of another, in mm, shape (n,).

    Args:
        planes: Image planes with a position.
        like: The plane whose normal is used.

    Raises:
        SeriesError: The directions of `like` are missing or make no sense.
    """
    _, _, normal = slice_axes(like.frame)
    positions = np.array([plane.frame.position_mm for plane in planes], dtype=np.float64)
    along: NDArray[np.float64] = positions.reshape(-1, 3) @ normal
    return along
