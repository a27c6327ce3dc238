"""Whatever a series looks like, its volume shows the field where it is, or it is refused."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.volume import read_dicom_volume
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.geometry.depth_grid import max_missing, widest_gap_mm
from hounsfield.preprocessing.hu_rounding import AIR_HU
from tests.preprocessing.dicom_files import (
    COMPRESSED,
    NATIVE,
    codes_of,
    field_hu,
    save,
    save_stack,
    series_of,
    stack_datasets,
)

STEEPEST_CURVE = 300 / 11**2
"""The largest second derivative of the field along any direction, HU per mm^2."""

SHAPE = (18, 15)


@st.composite
def stacks(draw):
    """How a series was scanned, spoilt and stored."""
    spacing = draw(st.sampled_from([0.7, 1.25, 3.0]))
    count = draw(st.integers(8, 14))
    uneven = draw(st.booleans()) and draw(st.booleans())
    wobble = [0.0] * count
    if uneven:
        wobble = draw(st.lists(st.sampled_from([0, 0.12, 0.2]), min_size=count, max_size=count))
    missing = draw(st.sets(st.integers(1, count - 2), max_size=5)) if not uneven else set()
    # Where every second slice is missing, nothing is: that is a series of twice the spacing.
    steps = np.diff(np.delete(np.arange(count), sorted(missing)))
    assume(not missing or steps.min() < steps.max())
    return {
        "depths": (np.arange(count) + wobble) * spacing,
        "spacing": spacing,
        "missing": sorted(missing),
        "uneven": len(set(wobble)) > 1,
        "duplicated": draw(st.sampled_from([(), (), (0,), (0, 2)])),
        "tilt_degrees": draw(st.sampled_from([0, 0, 0, -18.5, 5, 27])),
        "angles": draw(st.tuples(*[st.sampled_from([0, 90, 180, 270, 25, -70])] * 3)),
        "pixel_spacing": draw(st.sampled_from([(0.5, 0.5), (0.9, 0.6)])),
        "syntax": draw(st.sampled_from([*NATIVE, *COMPRESSED])),
        "signed": draw(st.booleans()),
        "seed": draw(st.integers(0, 999)),
    }


def _write(stack, folder):
    rotation = Rotation.from_euler("xyz", stack["angles"], degrees=True).as_matrix()
    datasets = stack_datasets(
        np.delete(stack["depths"], stack["missing"]),
        shape=SHAPE,
        axes=(tuple(rotation[:, 0]), tuple(rotation[:, 1])),
        shift_mm=(0.0, np.tan(np.radians(stack["tilt_degrees"]))),
        spacing_mm=stack["pixel_spacing"],
        syntax=stack["syntax"],
        signed=stack["signed"],
        SliceThickness=str(stack["spacing"]),
    )
    shuffled = np.random.default_rng(stack["seed"]).permutation(len(datasets))
    for number in shuffled:
        datasets[number].InstanceNumber = int(shuffled[number])
    save_stack([datasets[number] for number in shuffled], folder)
    for number in stack["duplicated"]:
        save(datasets[number], folder / f"copy{number}.dcm")


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(stacks())
def test_a_volume_reproduces_the_field_at_its_position_or_the_series_is_refused(stack):
    with tempfile.TemporaryDirectory() as name:
        _write(stack, Path(name))
        (series,) = series_of(Path(name))
        volume = _volume_or_reason(series)
    if _has_a_hole(stack):
        assert volume is Reason.MISSING_SLICES
        return
    notices = codes_of(volume.notices)
    assert ("missing_slices_filled" in notices) == bool(stack["missing"])
    assert ("duplicate_slices_dropped" in notices) == bool(stack["duplicated"])
    assert ("gantry_tilt_corrected" in notices) == bool(stack["tilt_degrees"])
    assert ("uneven_spacing" in notices) <= stack["uneven"]
    assert _largest_error(volume) <= _interpolation_bound(stack)
    assert _smallest_cover(volume) >= _expected_cover(stack)


def _volume_or_reason(series):
    try:
        return read_dicom_volume(series)
    except SeriesError as error:
        return error.reason


def _has_a_hole(stack):
    count, spacing = len(stack["depths"]), stack["spacing"]
    steps = np.diff(np.delete(np.arange(count), stack["missing"]))
    too_wide = steps.max() > 1 and steps.max() * spacing > widest_gap_mm(spacing)
    return len(stack["missing"]) > max_missing(count) or too_wide


def _largest_error(volume):
    """Over all voxels that any slice covered."""
    z, y, x = np.nonzero(volume.hu != AIR_HU)
    expected = field_hu(volume.world_mm(np.stack([x, y, z], axis=-1)))
    return float(np.abs(volume.hu[z, y, x] - expected).max())


def _interpolation_bound(stack):
    """Of linear interpolation over the widest gap in depth and one pixel in the plane, HU.

    The error over a step h is at most h^2 / 8 times the second derivative. Slices may be taken
    for evenly spaced while they are up to 1 % of the spacing (or 0.01 mm) off.
    """
    kept = np.delete(stack["depths"], stack["missing"])
    gap = np.diff(kept).max() if stack["missing"] or stack["uneven"] else 0.0
    pixel = max(stack["pixel_spacing"]) if stack["tilt_degrees"] else 0.0
    rounding = 1.5
    return STEEPEST_CURVE / 8 * (gap**2 + 2 * pixel**2) + rounding


def _smallest_cover(volume):
    return int(np.count_nonzero(volume.hu != AIR_HU, axis=(1, 2)).min())


def _expected_cover(stack):
    """Pixels of a slice that are known: all of them, less the shift over the widest gap."""
    rows, columns = SHAPE
    if not stack["tilt_degrees"]:
        return rows * columns
    gap = np.diff(np.delete(stack["depths"], stack["missing"])).max()
    shift = abs(np.tan(np.radians(stack["tilt_degrees"]))) * gap / stack["pixel_spacing"][0]
    interpolated = stack["missing"] or stack["uneven"]
    lost = 2 + (int(np.ceil(shift)) if interpolated else 0)
    return max(0, rows - lost) * (columns - 1)
