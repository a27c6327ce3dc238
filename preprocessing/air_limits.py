"""How low HU must go where there is air, and which voxels are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Scalar = TypeVar("Scalar", bound=np.generic[Any])

HIGHEST_CHEST_AIR_HU: Final = -750
"""A whole chest has air around it or in the trachea, at -1000; with noise, partial volume and a
poor calibration at -900. Half of a HU scale ends at -500."""

HIGHEST_LUNG_HU: Final = -500
"""Values that cannot go this low hold no lungs: a mask, grey levels of a window, an MR."""

_SAMPLES: Final = 500_000


def evenly_sampled(values: NDArray[Scalar]) -> NDArray[Scalar]:
    """Returns about half a million values, spread evenly over a volume, or all of a smaller one.

    Args:
        values: Stored values or HU, of any shape; not copied where they are in C order.

    Returns:
        The values along one axis. Their step is odd, so that no column is met only.
    """
    flat = values.reshape(-1)
    return flat[:: max(1, flat.size // _SAMPLES) | 1]
