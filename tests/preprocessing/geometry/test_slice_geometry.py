import numpy as np
import pytest

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.geometry.frame import Frame
from hounsfield.preprocessing.geometry.slice_geometry import fit_stack


def _frames(depths, *, thickness=None, sideways=0.0, spacing=(0.5, 0.5), normal_z=1.0):
    thickness = thickness or [5.0] * len(depths)
    return [
        Frame(
            number=1,
            position_mm=(10.0, 20.0 + sideways * depth, float(depth)),
            row_direction=(normal_z, 0.0, 0.0),
            column_direction=(0.0, 1.0, 0.0),
            pixel_spacing_mm=spacing,
            slice_thickness_mm=thick,
            rescale_slope=1.0,
            rescale_intercept=0.0,
        )
        for depth, thick in zip(depths, thickness, strict=True)
    ]


def _refusal(depths, **keywords):
    with pytest.raises(SeriesError) as caught:
        fit_stack(_frames(depths, **keywords))
    return caught.value


def test_rounded_positions_are_an_even_grid():
    geometry = fit_stack(_frames(np.round(np.arange(40) * 0.625, 2)))
    assert geometry.grid_index == tuple(range(40))
    assert geometry.spacing_mm == pytest.approx(0.625, abs=1e-3)


def test_slices_grow_along_the_normal_of_the_slices():
    geometry = fit_stack(_frames([0, 5, 10, 15], normal_z=-1.0))
    assert geometry.order == (3, 2, 1, 0)
    np.testing.assert_allclose(geometry.affine[:3, 2], [0, 0, -5])


def test_a_hole_is_found_by_position():
    geometry = fit_stack(_frames([18.108, 23.108, 28.107, 38.107]))
    assert geometry.missing == (3,)
    assert geometry.spacing_mm == pytest.approx(5.0, abs=1e-3)


@pytest.mark.parametrize(
    "missing",
    [[5, 6, 7, 8, 9], [5, 9, 13, 17], [5, 6, 12, 13]],
    ids=["five side by side", "four alone", "four in pairs"],
)
def test_more_missing_slices_than_the_limits_fail(missing):
    error = _refusal(np.delete(np.arange(30.0), missing), thickness=[1.0] * (30 - len(missing)))
    assert error.reason is Reason.MISSING_SLICES
    assert f"{30 - len(missing)} of 30 expected slices" in error.message


@pytest.mark.parametrize(
    ("count", "step", "missing"),
    [
        (231, 1.25, [10, 50, 90, 130, 170, 210]),
        (300, 1.0, [20, 21, 22, 23]),
        (80, 5.0, [40]),
        (20, 2.5, [4, 9, 15]),
    ],
    ids=["3 % of a long series", "up to 5 mm", "one thick slice", "three of a short series"],
)
def test_missing_slices_within_the_limits_are_filled(count, step, missing):
    depths = np.delete(np.arange(count) * step, missing)
    geometry = fit_stack(_frames(depths, thickness=[step] * len(depths)))
    assert geometry.missing == tuple(missing)


@pytest.mark.parametrize(
    ("count", "step", "missing"),
    [
        (231, 1.25, [10, 40, 70, 100, 130, 160, 190]),
        (300, 1.0, [20, 21, 22, 23, 24]),
        (80, 2.5, [40, 41]),
        (80, 5.5, [40]),
    ],
    ids=["over 3 %", "over 5 mm", "over two steps", "over 10 mm"],
)
def test_missing_slices_beyond_the_limits_fail(count, step, missing):
    depths = np.delete(np.arange(count) * step, missing)
    error = _refusal(depths, thickness=[step] * len(depths))
    assert error.reason is Reason.MISSING_SLICES


def test_a_gap_wider_than_a_nodule_fails_although_few_slices_are_missing():
    assert _refusal(np.delete(np.arange(20) * 10.0, 5)).reason is Reason.MISSING_SLICES


def test_the_expected_number_comes_from_the_thickness_where_gaps_are_wild():
    depths = [-42.5, -90, -122.5, -237.5, -245, -352.5, -365, -382.5, -400, -512.5]
    error = _refusal(depths, thickness=[2.5] * 10)
    assert "10 of 189 expected slices" in error.message


def test_contiguous_slices_of_two_thicknesses_are_uneven_not_missing():
    depths = [*np.arange(10) * 5.0, *(50 + np.arange(10) * 10.0)]
    geometry = fit_stack(_frames(depths, thickness=[5.0] * 10 + [10.0] * 10))
    assert geometry.grid_index is None


def test_a_stack_whose_spacing_changes_keeps_every_thin_slice():
    depths = [*np.arange(24) * 2.5, *(60 + np.arange(28) * 7.5)]
    geometry = fit_stack(_frames(depths, thickness=[2.5] * 24 + [7.5] * 28))
    assert geometry.spacing_mm == pytest.approx(2.5)
    grid = np.arange(geometry.slices) * geometry.spacing_mm
    assert np.abs(grid[:, None] - np.array(depths)).min(axis=0).max() < 1e-6


def _turned(degrees):
    frames = _frames(np.arange(20.0))
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turned = {"row_direction": (cosine, sine, 0.0), "column_direction": (-sine, cosine, 0.0)}
    return [
        Frame(**{**_fields(frame), **(turned if i % 2 else {})}) for i, frame in enumerate(frames)
    ]


def test_slices_that_a_writer_turned_by_rounding_are_one_stack_in_their_mean():
    geometry = fit_stack(_turned(0.09))
    assert geometry.jitter_degrees == pytest.approx(0.045, rel=1e-3)
    expected = [np.cos(np.radians(0.045)), np.sin(np.radians(0.045)), 0]
    np.testing.assert_allclose(geometry.row_direction, expected, atol=1e-9)


def test_slices_that_are_really_turned_are_not_one_stack():
    with pytest.raises(SeriesError, match=r"turned by up to 0\.50 degrees"):
        fit_stack(_turned(1.0))


def test_an_uneven_stack_is_not_resampled_to_more_than_three_times_its_slices():
    depths = np.cumsum([0.06, 0.083] * 10 + [7.3, 7.1] * 9)
    geometry = fit_stack(_frames(depths))
    assert geometry.slices <= 3 * len(depths) + 1


def test_a_drift_of_rounding_is_no_tilt():
    assert fit_stack(_frames(np.arange(20), sideways=5e-4)).tilt_degrees == 0


def test_a_tilt_is_measured_from_positions():
    geometry = fit_stack(_frames(np.arange(20), sideways=np.tan(np.radians(-14))))
    assert geometry.tilt_degrees == pytest.approx(14)
    assert geometry.spacing_mm == pytest.approx(1)


def test_slices_off_one_line_are_inconsistent():
    frames = _frames(np.arange(20))
    wandering = [
        Frame(**{**_fields(frame), "position_mm": (10.0 + 3 * (i % 2), 20.0, float(i))})
        for i, frame in enumerate(frames)
    ]
    with pytest.raises(SeriesError, match="off a straight line") as caught:
        fit_stack(wandering)
    assert caught.value.reason is Reason.INCONSISTENT_GEOMETRY


def _fields(frame):
    return {name: getattr(frame, name) for name in Frame.__dataclass_fields__}


def test_slices_stacked_sideways_are_inconsistent():
    assert _refusal(np.arange(5), sideways=3.0).reason is Reason.INCONSISTENT_GEOMETRY


@pytest.mark.parametrize("spacing", [None, (0.0, 0.5), (-1.0, 1.0)])
def test_pixel_spacing_must_be_positive(spacing):
    error = _refusal(np.arange(5), spacing=spacing)
    assert error.reason is Reason.INCONSISTENT_GEOMETRY
    assert "(0028,0030)" in error.message


def test_directions_must_be_a_right_angle():
    frame = Frame(**{**_fields(_frames([0])[0]), "column_direction": (0.6, 0.8, 0.0)})
    with pytest.raises(SeriesError, match=r"\(0020,0037\)"):
        fit_stack([frame])
