"""Assesses a series: notices on its pixels, geometry and coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.codes import Notice, NoticeCode
from hounsfield.preprocessing.extent import exceeds
from hounsfield.preprocessing.geometry.reorient import upright
from hounsfield.preprocessing.quality import pixels
from hounsfield.preprocessing.quality import thresholds as limits
from hounsfield.preprocessing.quality.kernels import is_sharp_kernel
from hounsfield.preprocessing.working_volume import LEFT_LUNG, RIGHT_LUNG

if TYPE_CHECKING:
    from hounsfield.preprocessing.lungs.segment import Lungs
    from hounsfield.preprocessing.volume import Volume


def assess_quality(volume: Volume, lungs: Lungs | None) -> tuple[Notice, ...]:
    """Assesses a series; `quality.thresholds` has the limit of each notice and its reason.

    What was done when the series was read (holes filled, tilt sheared back, ...) is not repeated:
    it is in ``volume.notices``.

    Args:
        volume: The series on its native grid.
        lungs: The lungs of the series; without them coverage, air, motion, metal and contrast are
            not assessed.

    Returns:
        The notices, in the order of `NoticeCode`.
    """
    axial = upright(volume)
    # DICOM's images are the slices; the order of the axes in another file says nothing.
    sliced = volume if volume.source_frames else axial
    notices = [
        _thick_slices(sliced),
        _resolution(sliced),
        _orientation(volume),
        _noise(axial),
        _kernel(volume),
    ]
    if lungs is not None:
        notices += [
            _lungs_cut(lungs),
            _one_lung(lungs),
            _air(lungs),
            _motion(axial, lungs),
            _metal(axial, lungs),
            _contrast(volume, lungs),
        ]
    order = list(NoticeCode)
    present = [notice for notice in notices if notice is not None]
    return tuple(sorted(present, key=lambda notice: order.index(notice.code)))


def _thick_slices(volume: Volume) -> Notice | None:
    spacing_mm = volume.spacing_mm[2]
    thickness_mm = volume.series.slice_thickness_mm or spacing_mm
    if not exceeds(max(spacing_mm, thickness_mm), limits.THICK_SLICES_ABOVE_MM):
        return None
    message = (
        f"Slices are {thickness_mm:.2f} mm thick and {spacing_mm:.2f} mm apart, over "
        f"{limits.THICK_SLICES_ABOVE_MM} mm: small nodules may be missed, diameters are uncertain"
    )
    numbers = {"thickness_mm": round(thickness_mm, 3), "spacing_mm": round(spacing_mm, 3)}
    return Notice(NoticeCode.THICK_SLICES, message, numbers)


def _resolution(volume: Volume) -> Notice | None:
    spacing_mm = max(volume.spacing_mm[:2])
    if not exceeds(spacing_mm, limits.RESOLUTION_LOW_ABOVE_MM):
        return None
    message = (
        f"Pixels are {spacing_mm:.2f} mm wide, over {limits.RESOLUTION_LOW_ABOVE_MM} mm: "
        "margins and small nodules are blurred"
    )
    return Notice(NoticeCode.RESOLUTION_LOW, message, {"pixel_mm": round(spacing_mm, 3)})


def _orientation(volume: Volume) -> Notice | None:
    cosines = volume.affine[:3, :3] / np.asarray(volume.spacing_mm)
    degrees = float(np.degrees(np.arccos(min(1.0, abs(cosines[2, 2])))))
    if degrees > limits.ORIENTATION_DEGREES:
        message = f"Slices are not axial: their normal is {degrees:.0f} degrees off the long axis"
    elif cosines[0, 0] < 0 or cosines[1, 1] < 0:
        message = (
            "Images are not shown with the patient's right on the left and the front at the top "
            f"(patient position {volume.series.patient_position or 'unknown'})"
        )
    else:
        return None
    return Notice(NoticeCode.ORIENTATION_UNUSUAL, message, {"degrees": round(degrees, 1)})


def _noise(volume: Volume) -> Notice | None:
    noise_hu = pixels.noise_hu(volume.hu)
    if noise_hu is None or noise_hu <= limits.NOISE_ABOVE_HU:
        return None
    message = (
        f"Noise in soft tissue is {noise_hu:.0f} HU, over {limits.NOISE_ABOVE_HU:.0f}: faint "
        "nodules may be missed"
    )
    return Notice(NoticeCode.NOISE_HIGH, message, {"noise_hu": noise_hu})


def _kernel(volume: Volume) -> Notice | None:
    kernel = volume.series.convolution_kernel
    if not is_sharp_kernel(volume.series.manufacturer, kernel):
        return None
    message = f"Sharp reconstruction kernel {kernel} (0018,1210): edges overshoot, HU vary"
    return Notice(NoticeCode.SHARP_KERNEL, message, {"kernel": kernel})


def _lungs_cut(lungs: Lungs) -> Notice | None:
    cut = {
        face: area
        for face, area in zip(lungs.cut_faces, lungs.cut_area_cm2, strict=True)
        if area > limits.LUNGS_CUT_ABOVE_CM2
    }
    if not cut:
        return None
    faces = ", ".join(f"{face} ({area:.0f} square cm)" for face, area in cut.items())
    message = f"The field of view cuts the lungs at the {faces}: what is beyond was not imaged"
    return Notice(
        NoticeCode.LUNGS_CUT, message, {f"{face}_cm2": round(area, 1) for face, area in cut.items()}
    )


def _one_lung(lungs: Lungs) -> Notice | None:
    right, left = (lungs.aerated_ml(label) for label in (RIGHT_LUNG, LEFT_LUNG))
    if min(right, left) >= limits.ONE_LUNG_BELOW * max(right, left):
        return None
    side = "right" if right < left else "left"
    message = (
        f"No aerated {side} lung: {right:.0f} ml on the right, {left:.0f} ml on the left; it is "
        "absent, collapsed, filled, or outside the field of view"
    )
    return Notice(
        NoticeCode.ONE_LUNG, message, {"right_ml": round(right, 1), "left_ml": round(left, 1)}
    )


def _air(lungs: Lungs) -> Notice | None:
    air_hu = pixels.outside_air_hu(lungs)
    if air_hu is None or abs(air_hu + 1000) <= limits.AIR_TOLERANCE_HU:
        return None
    message = f"Air around the body measures {air_hu:.0f} HU instead of -1000: all HU may be wrong"
    return Notice(NoticeCode.HU_SUSPECT, message, {"air_hu": air_hu})


def _motion(volume: Volume, lungs: Lungs) -> Notice | None:
    ratio, after_slice = pixels.largest_jump(volume.hu, _lung_box(volume, lungs)[0])
    if ratio <= limits.JUMP_ABOVE:
        return None
    message = (
        f"Slice {after_slice + 1} does not match the one before (change {ratio:.1f} times the "
        "usual): the patient may have moved or breathed"
    )
    numbers = {"ratio": round(ratio, 2), "slice": after_slice + 1}
    return Notice(NoticeCode.MOTION_SUSPECT, message, numbers)


def _metal(volume: Volume, lungs: Lungs) -> Notice | None:
    voxel_ml = float(np.prod(volume.spacing_mm)) / 1000
    dense = pixels.voxels_above(volume.hu[_lung_box(volume, lungs)], limits.METAL_HU) * voxel_ml
    if dense <= limits.METAL_ABOVE_ML:
        return None
    message = (
        f"{dense:.1f} ml beside the lungs are denser than {limits.METAL_HU} HU: metal or dense "
        "contrast agent; streaks may hide or mimic nodules"
    )
    return Notice(NoticeCode.METAL, message, {"dense_ml": round(dense, 2)})


def _contrast(volume: Volume, lungs: Lungs) -> Notice | None:
    """The pixels decide if they can: headers often omit the bolus, or keep it from another scan."""
    agent = volume.series.contrast_bolus_agent
    blood_hu = pixels.blood_hu(lungs)
    if blood_hu is None:
        if not agent:
            return None
        return Notice(NoticeCode.CONTRAST, f"Contrast agent {agent!r} (0018,0010) was given")
    if blood_hu <= limits.CONTRAST_ABOVE_HU:
        return None
    message = f"Contrast agent was given: heart and great vessels measure {blood_hu:.0f} HU"
    return Notice(NoticeCode.CONTRAST, message, {"blood_hu": blood_hu})


def _lung_box(volume: Volume, lungs: Lungs) -> tuple[slice, slice, slice]:
    """The bounding box of both lungs on a volume's grid, ``[z, y, x]``."""
    corners = volume.voxel_xyz(lungs.bounding_box_world_mm())
    last = np.asarray(volume.shape_zyx[::-1]) - 1
    low = np.clip(np.rint(corners.min(axis=0)), 0, last).astype(int)
    high = np.clip(np.rint(corners.max(axis=0)), 0, last).astype(int)
    x, y, z = (slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))
    return z, y, x
