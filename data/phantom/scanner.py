"""The scanner: slice averaging, in-plane blur, noise, the table, the round field of view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.fields import coverage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.phantom.grid import Grid
    from hounsfield.data.phantom.settings import PhantomSettings

    Plane = NDArray[np.floating]

OUTSIDE_HU = -1024
_NOISE_HU = {"soft": (7, 15), "standard": (9, 20), "sharp": (28, 65)}
KERNEL_NAMES = {"soft": "B30f", "standard": "B45f", "sharp": "B70f"}


@dataclass(frozen=True)
class Scanner:
    """Parameters of one scan.

    Attributes:
        kernel: ``soft``, ``standard`` or ``sharp``.
        noise_hu: Standard deviation in the middle of an average chest.
        thickness_mm: Full width of the slice profile, a box.
        table_y_mm: Scan frame y of the table's top in the middle.
    """

    kernel: str
    noise_hu: float
    thickness_mm: float
    table_y_mm: float


def draw_scanner(settings: PhantomSettings, table_y_mm: float, rng: np.random.Generator) -> Scanner:
    """Draws the parameters that the settings leave open.

    Args:
        settings: Fixes kernel, slice thickness and noise where it has them.
        table_y_mm: Scan frame y of the table's top, from the person's back.
        rng: Random stream; the number of draws does not depend on the settings.

    Returns:
        The scanner.
    """
    any_kernel = str(rng.choice(["soft", "standard", "sharp"], p=[0.4, 0.4, 0.2]))
    kernel = settings.kernel or any_kernel
    thickness = settings.slice_thickness_mm or settings.spacing_mm[2]
    noise = float(rng.uniform(*_NOISE_HU[kernel])) * min(1.3, max(0.5, (1.25 / thickness) ** 0.5))
    noise = noise if settings.noise_hu is None else settings.noise_hu
    return Scanner(kernel, noise, thickness, table_y_mm)


def slice_weights(grid: Grid, thickness_mm: float) -> NDArray[np.float32]:
    """Computes the weights of the fine slices around a finished one: a box profile.

    Args:
        grid: Supplies the distance of the fine slices and their number, `2 * padding + 1`.
        thickness_mm: Full width of the profile; at least one fine slice is used.

    Returns:
        Weights with sum 1, shape (2 * padding + 1,).
    """
    step = grid.spacing_zyx_mm[0]
    place = np.arange(-grid.padding, grid.padding + 1) * step
    half = max(thickness_mm, step) / 2
    overlap = np.minimum(place + step / 2, half) - np.maximum(place - step / 2, -half)
    inside = np.clip(overlap, 0, None)
    weights: NDArray[np.float32] = (inside / inside.sum()).astype(np.float32)
    return weights


def transfer(grid: Grid, kernel: str) -> tuple[Plane, Plane, Plane]:
    """Computes filters over the spatial frequencies of an image (those of `rfft2`).

    Args:
        grid: Supplies rows, columns and their spacing.
        kernel: ``soft``, ``standard`` or ``sharp``.

    Returns:
        The modulation transfer function, and two filters of white noise, for rays along the rows
        and along the columns. The power of the noise rises with the frequency and falls with the
        kernel (Kijewski and Judy, Phys Med Biol 1987;32:565); together they are isotropic and have
        variance 1.
    """
    rows, columns = grid.shape_zyx[1:]
    fy = np.fft.fftfreq(rows, grid.spacing_zyx_mm[1])[:, None]
    fx = np.fft.rfftfreq(columns, grid.spacing_zyx_mm[2])[None, :]
    f = np.hypot(fx, fy)
    width, lift = {"soft": (0.42, 0.0), "standard": (0.55, 0.15), "sharp": (0.78, 0.75)}[kernel]
    mtf = np.exp(-((f / width) ** 2) * 0.69) * (1 + lift * np.exp(-(((f - 0.45) / 0.22) ** 2)))
    spectrum = mtf * np.sqrt(np.minimum(f, 0.9) + 0.012)
    fraction = np.divide(fy**2, f**2, out=np.full_like(f, 0.5), where=f > 0)
    along_rows, along_columns = spectrum * fraction, spectrum * (1 - fraction)
    double = np.where(
        (np.arange(fx.size) > 0) & (np.arange(fx.size) < (columns + 1) // 2), 2.0, 1.0
    )
    power = ((along_rows**2 + along_columns**2) * double).sum() / (rows * columns)
    scale = 1 / np.sqrt(power)
    return (
        mtf.astype(np.float32),
        (along_rows * scale).astype(np.float32),
        (along_columns * scale).astype(np.float32),
    )


def noise_level(hu: Plane, grid: Grid) -> tuple[Plane, Plane]:
    """Computes the relative noise of the rays along each row and along each column.

    The noise grows with the water that a ray crosses, less than exponentially because scanners
    raise the current where the body is thick.

    Args:
        hu: HU of a finished slice before the noise, shape (rows, columns).
        grid: Supplies the pixel spacing in mm.

    Returns:
        Factors on the noise of an average chest, shapes (rows, 1) and (1, columns).
    """
    water = np.clip(hu[::4, ::4] + 1000, 0, 2000) / 1000
    along_row = water.sum(1) * grid.spacing_zyx_mm[2] * 4
    along_column = water.sum(0) * grid.spacing_zyx_mm[1] * 4
    levels = []
    for path, count in ((along_row, hu.shape[0]), (along_column, hu.shape[1])):
        smooth = np.convolve(np.pad(path, 6, mode="edge"), np.ones(13) / 13, mode="valid")
        level = np.exp(0.0052 * (np.minimum(smooth, 480) - 185))
        level = 0.45 + 0.55 * level
        levels.append(np.interp(np.arange(count), np.arange(len(path)) * 4 + 1.5, level))
    return levels[0].astype(np.float32)[:, None], levels[1].astype(np.float32)[None, :]


def table_plane(grid: Grid, table_y_mm: float) -> Plane:
    """Draws the table and its mattress on an otherwise empty image.

    Args:
        grid: Supplies the scan frame positions of rows and columns.
        table_y_mm: Scan frame y of the table's top in the middle.

    Returns:
        HU, shape (rows, columns).
    """
    y, x = grid.axis_mm(1)[:, None], grid.axis_mm(2)[None, :]
    rise = -(x**2) / (2 * 520)
    hu = np.full((y.shape[0], x.shape[1]), -996.0, np.float32)
    top = y - (np.float32(table_y_mm) + rise)
    half = np.abs(x) - 205
    layers = ((0.0, 22.0, -945.0), (22.0, 24.5, -420.0), (24.5, 62.0, -985.0), (62.0, 65.0, 60.0))
    for upper, lower, value in layers:
        depth = top + (np.float32(0.00035) * x**2 if upper == 62.0 else 0)
        distance = np.maximum(np.maximum(upper - depth, depth - lower), half)
        hu += coverage(distance.astype(np.float32), 1.0) * (np.float32(value) - hu)
    return hu


def scan(
    fine: NDArray[np.float32], grid: Grid, settings: PhantomSettings, scanner: Scanner,
    rng: np.random.Generator,
) -> NDArray[np.int16]:  # fmt: skip
    """Scans the body: averages fine slices, blurs, and adds correlated noise.

    Args:
        fine: HU on the fine grid, ``[z, y, x]``.
        grid: Fine samples and their relation to the finished slices.
        settings: Shape and spacing of the finished volume, and its field of view.
        scanner: Kernel, slice thickness and noise.
        rng: Random stream of the noise, used slice by slice.

    Returns:
        HU of the finished volume, int16, ``[z, y, x]``.
    """
    from scipy import fft

    slices, rows, columns = settings.shape_zyx
    weights = slice_weights(grid, scanner.thickness_mm)
    mtf, along_rows, along_columns = transfer(grid, scanner.kernel)
    y, x = grid.axis_mm(1)[:, None], grid.axis_mm(2)[None, :]
    radius = min(abs(float(y[0, 0])), abs(float(x[0, 0]))) + 0.5 * settings.spacing_mm[0]
    outside = np.hypot(x, y) > radius if settings.circular_field_of_view else np.zeros((1, 1), bool)
    finished = np.empty(settings.shape_zyx, np.int16)
    shared = np.float32(np.clip(scanner.thickness_mm / settings.spacing_mm[2] - 0.65, 0, 0.95))
    before = rng.standard_normal((2, rows, columns), dtype=np.float32)
    for index in range(slices):
        first = index * grid.oversampling
        used = fine[first : first + len(weights)]
        hu = used[0] * weights[0] if len(weights) > 1 else used[0].copy()
        for weight, plane in zip(weights[1:], used[1:], strict=True):
            hu += weight * plane
        fresh = rng.standard_normal((2, rows, columns), dtype=np.float32)
        white = (fresh + shared * before) * np.float32(1 / np.sqrt(1 + shared**2))
        before = fresh
        row_level, column_level = noise_level(hu, grid)
        white[0] *= row_level * np.float32(scanner.noise_hu)
        white[1] *= column_level * np.float32(scanner.noise_hu)
        spectrum = fft.rfft2(hu, workers=2) * mtf
        spectrum += fft.rfft2(white[0], workers=2) * along_rows
        spectrum += fft.rfft2(white[1], workers=2) * along_columns
        hu = fft.irfft2(spectrum, s=(rows, columns), workers=2)
        hu = np.clip(np.rint(hu), OUTSIDE_HU, 3071)
        if settings.circular_field_of_view:
            hu[outside] = OUTSIDE_HU
        finished[index] = hu
    return finished
