"""Sites for masses: positions on the surface of the lungs, with the structure behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

Contact = Literal["mediastinum", "hilum", "chest wall", "diaphragm", "apex", "inside"]

CONTACTS: dict[Contact, float] = {
    "mediastinum": 0.24,
    "hilum": 0.16,
    "chest wall": 0.22,
    "diaphragm": 0.18,
    "apex": 0.06,
    "inside": 0.14,
}
"""Probability of each contact."""

SMOOTHING = 1.5
"""Standard deviation of the smoothing before surface normals are computed, in voxels of 6 mm."""


@dataclass(frozen=True, slots=True)
class Site:
    """A site for a mass.

    Attributes:
        contact: The structure that the mass touches.
        position_zyx: Fractional indices of a point on the surface of the lung, or in the lung where
            the contact is ``inside``.
        inward_zyx: Unit vector into the lung.
        side: 1 for the right lung, 2 for the left.
    """

    contact: Contact
    position_zyx: NDArray[np.float64]
    inward_zyx: NDArray[np.float64]
    side: int


class Surface:
    """The surface of the lungs, grouped by the structure behind it.

    Args:
        lungs: uint8 ``[z, y, x]``: 1 in the right lung, 2 in the left.
    """

    def __init__(self, lungs: NDArray[np.uint8]) -> None:
        half = lungs[::2, ::2, ::2]
        inside = half > 0
        self._inside = np.argwhere(inside)
        self._labels = half
        soft = gaussian_filter(inside.astype(np.float32), SMOOTHING)
        shell = inside & (soft < 0.62)
        self._positions = np.argwhere(shell)
        inward = np.stack(np.gradient(soft), axis=-1)[shell]
        self._inward = inward / np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-6)
        self._contacts = self._grouped()

    def _grouped(self) -> dict[Contact, NDArray[np.intp]]:
        """Indices of the surface positions by contact."""
        if not len(self._positions):
            return {}
        low, high = self._inside.min(axis=0), self._inside.max(axis=0)
        relative = (self._positions - low) / np.maximum(high - low, 1)
        outward = -self._inward
        right = self._labels[tuple(self._positions.T)] == 1
        # x grows to the patient's left: from the right lung the midline lies at larger x.
        to_middle = np.where(right, outward[:, 2], -outward[:, 2])
        central = np.abs(relative[:, 2] - 0.5) < 0.3
        below = outward[:, 0] < -0.55
        above = (outward[:, 0] > 0.3) & (relative[:, 0] > 0.82)
        medial = (to_middle > 0.35) & central & ~below
        root = (np.abs(relative[:, 0] - 0.55) < 0.14) & (np.abs(relative[:, 1] - 0.52) < 0.16)
        masks: dict[Contact, NDArray[np.bool_]] = {
            "diaphragm": below & (relative[:, 0] < 0.6),
            "apex": above & ~below,
            "hilum": medial & root,
            "mediastinum": medial & ~root,
            "chest wall": ~below & ~above & (to_middle < 0.1),
        }
        return {name: np.flatnonzero(mask) for name, mask in masks.items()}

    def draw(self, rng: np.random.Generator, contact: Contact | None = None) -> Site | None:
        """Draws a site; None where the lungs have none with this contact.

        Args:
            rng: Source of every random choice.
            contact: The structure that the mass must touch; None draws it by `CONTACTS`.
        """
        if contact is None:
            contact = list(CONTACTS)[int(rng.choice(len(CONTACTS), p=list(CONTACTS.values())))]
        if contact == "inside":
            if not len(self._inside):
                return None
            position = self._inside[int(rng.integers(len(self._inside)))]
            inward = rng.standard_normal(3)
            inward /= np.linalg.norm(inward)
            return self._site(contact, position, inward)
        members = self._contacts.get(contact)
        if members is None or not len(members):
            return None
        index = int(members[int(rng.integers(len(members)))])
        return self._site(contact, self._positions[index], self._inward[index])

    def _site(
        self, contact: Contact, position: NDArray[np.intp], inward: NDArray[np.float64]
    ) -> Site:
        side = int(self._labels[tuple(position)])
        centre = np.asarray(position * 2.0 + 0.5, np.float64)
        return Site(contact, centre, np.asarray(inward, np.float64), side)
