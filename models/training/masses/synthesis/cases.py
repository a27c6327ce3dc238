"""Synthetic cases: a warped chest with masses and what resembles them, scanned anew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.training.masses.synthesis.canvas import IGNORED, Canvas, SyntheticMass
from hounsfield.models.training.masses.synthesis.insertion import insert_mass
from hounsfield.models.training.masses.synthesis.opacities import add_opacities
from hounsfield.models.training.masses.synthesis.scanner import draw_extent, rescan
from hounsfield.models.training.masses.synthesis.sites import CONTACTS, Surface
from hounsfield.models.training.masses.synthesis.warping import warp_chest
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.lungs.segment import LUNG_GRID_MM, Lungs, find_lungs
from hounsfield.preprocessing.volume import SeriesFacts, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.training.masses.chests import Chest
    from hounsfield.models.training.masses.synthesis.sites import Contact

DIAMETERS_MM = (24.0, 115.0)
MASS_COUNT_PROBABILITIES = (0.36, 0.46, 0.14, 0.04)
"""Probabilities of none, one, two and three masses in a case."""

MAX_SITES = 8
"""Sites that are tried for a mass."""

MAX_ATTEMPTS = 4
"""Attempts before a case is made without warping and masses."""


@dataclass(frozen=True, slots=True, eq=False)
class MassCase:
    """A synthetic case with its ground truth.

    Attributes:
        lungs: Result of `find_lungs` for this scan with its masses.
        labels: uint8 ``[z, y, x]`` on the same grid: `MASS`, `IGNORED` or 0.
        masses: The masses, in voxels of the same grid.
        name: Name of the chest that it was made from.
        synthetic: Whether that chest is a phantom.
    """

    lungs: Lungs
    labels: NDArray[np.uint8]
    masses: tuple[SyntheticMass, ...]
    name: str
    synthetic: bool


def make_case(
    chest: Chest,
    rng: np.random.Generator,
    *,
    diameters_mm: tuple[float, float] = DIAMETERS_MM,
    contacts: tuple[Contact, ...] | None = None,
    deform: bool = True,
    opacities: bool = True,
) -> MassCase:
    """Makes a case from a chest; the same arguments give the same case.

    Args:
        chest: The background, which is not changed.
        rng: Source of every random choice.
        diameters_mm: Smallest and largest diameter of a mass.
        contacts: The structure that each mass touches; None draws number and contacts.
        deform: Whether the chest is warped into another person and may be cut along z.
        opacities: Whether opacities that resemble masses are painted too.

    Returns:
        The case. It may have fewer masses than `contacts`, as some sites have no room.

    Raises:
        SeriesError: No lungs are found even in the chest as it is.
    """
    for _ in range(MAX_ATTEMPTS):
        try:
            return _attempt(chest, rng, diameters_mm, contacts, deform=deform, opacities=opacities)
        except SeriesError:
            continue
    return _attempt(chest, rng, diameters_mm, (), deform=False, opacities=False)


def _attempt(
    chest: Chest,
    rng: np.random.Generator,
    diameters_mm: tuple[float, float],
    contacts: tuple[Contact, ...] | None,
    *,
    deform: bool,
    opacities: bool,
) -> MassCase:
    warped = warp_chest(chest, rng) if deform else chest
    labels = np.where(warped.ignored, np.uint8(IGNORED), np.uint8(0))
    canvas = Canvas(warped.hu.astype(np.float32), warped.lungs, labels, Surface(warped.lungs))
    if opacities:
        add_opacities(canvas, rng)
    if contacts is None:
        count = int(rng.choice(len(MASS_COUNT_PROBABILITIES), p=MASS_COUNT_PROBABILITIES))
        kinds = list(CONTACTS)
        drawn = rng.choice(len(kinds), size=count, p=list(CONTACTS.values()))
        contacts = tuple(kinds[int(index)] for index in drawn)
    for contact in contacts:
        _place(canvas, contact, diameters_mm, rng)
    kept = draw_extent(len(canvas.hu), rng) if deform else slice(0, len(canvas.hu))
    hu = rescan(canvas.hu[kept].copy(), rng)
    lungs = find_grid_lungs(np.rint(hu).astype(np.int16))
    masses = tuple(
        replace(mass, centre_zyx=(mass.centre_zyx[0] - kept.start, *mass.centre_zyx[1:]))
        for mass in canvas.masses
        if kept.start <= mass.centre_zyx[0] < kept.stop
    )
    return MassCase(lungs, canvas.labels[kept], masses, chest.name, chest.synthetic)


def _place(
    canvas: Canvas,
    contact: Contact,
    diameters_mm: tuple[float, float],
    rng: np.random.Generator,
) -> None:
    """Tries some sites for one mass, whose diameter is uniform in its logarithm."""
    low, high = np.log(diameters_mm)
    diameter_mm = float(np.exp(rng.uniform(low, high)))
    for _ in range(MAX_SITES):
        site = canvas.surface.draw(rng, contact)
        if site is None:
            return
        if insert_mass(canvas, site, diameter_mm, rng) is not None:
            return


def find_grid_lungs(hu: NDArray[np.int16]) -> Lungs:
    """Finds the lungs of a chest on an upright grid of 3 mm.

    Args:
        hu: int16 ``[z, y, x]`` at 3 mm, x to the left, y to the back, z to the head.

    Returns:
        The lungs, on the same grid.

    Raises:
        SeriesError: There are no lungs.
    """
    affine = np.diag([LUNG_GRID_MM, LUNG_GRID_MM, LUNG_GRID_MM, 1.0])
    affine[:3, 3] = [-(hu.shape[2] - 1) / 2 * LUNG_GRID_MM, 0.0, 0.0]
    return find_lungs(Volume(hu, affine, SeriesFacts("synthetic", "synthetic")), threads=1)
