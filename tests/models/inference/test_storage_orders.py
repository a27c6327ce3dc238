"""Outlines, sizes and ratings of a nodule do not depend on how its scan is stored."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hounsfield.models.findings import Candidate
from hounsfield.models.inference.loading import load_rater, load_segmenter
from hounsfield.models.inference.outlines import segment_findings
from hounsfield.models.inference.segmenter import on_native_grid
from hounsfield.models.measurements.density import inside_rim
from hounsfield.models.measurements.nodule import measure
from hounsfield.models.store.folders import model_folder
from hounsfield.preprocessing.geometry.reorient import reoriented, upright
from hounsfield.preprocessing.volume import SeriesFacts, Volume
from tests.models.balls import ellipsoid_fraction
from tests.preprocessing.geometry.test_reorient import EVERY

CENTRE_MM, DIAMETER_MM = (16.0, 15.0, 19.0), 9.0


@pytest.fixture(scope="module")
def volume():
    """Noisy lung with a slanting part-solid nodule at (x, y, z) = `CENTRE_MM`."""
    shape_zyx, spacing_mm = (30, 48, 44), (0.7, 0.8, 1.25)
    outer = ellipsoid_fraction(shape_zyx, spacing_mm, CENTRE_MM[::-1], (4.0, 3.5, 5.5))
    inner = ellipsoid_fraction(shape_zyx, spacing_mm, (19.5, 15.5, 17.0), (2.0, 2.5, 2.0))
    noise = np.random.default_rng(4).normal(0, 25, shape_zyx)
    hu = np.rint(-850 + 400 * outer + 500 * inner + noise).astype(np.int16)
    return Volume(hu, np.diag([*spacing_mm, 1.0]), SeriesFacts("1", "1.1"))


@pytest.fixture(scope="module")
def analysed():
    """Segments, measures and rates the nodule of a volume with the shipped models."""
    segmenter = load_segmenter(model_folder("nodule_segmenter"), threads=1)
    rater = load_rater(model_folder("nodule_rater"), threads=1)

    def analyse(volume):
        candidates = [Candidate(CENTRE_MM, DIAMETER_MM, 0.9)]
        (nodule,) = segment_findings(segmenter, volume, candidates)
        return nodule, measure(nodule, volume), rater.rate(volume, candidates, [nodule.boundary])

    return analyse


@settings(deadline=None, max_examples=48)
@given(stored=st.sampled_from(EVERY))
def test_a_nodule_has_the_same_outline_size_and_rating_in_every_storage(volume, analysed, stored):
    nodule, measurements, ratings = analysed(volume)
    again, measured_again, rated_again = analysed(upright(reoriented(volume, stored)))
    assert np.array_equal(again.boundary.fraction, nodule.boundary.fraction)
    assert again.boundary.start_zyx == nodule.boundary.start_zyx
    assert again.density == nodule.density
    assert measured_again == measurements
    assert rated_again == ratings


@pytest.mark.parametrize("step_mm", [0.24, 0.3, 0.4, 0.6, 0.8, 1.2])
def test_a_spacing_rounded_to_float32_changes_neither_samples_nor_rim(step_mm):
    probability = ellipsoid_fraction((32,) * 3, (1.0,) * 3, (15.0,) * 3, (9.0, 7.0, 8.0))
    fractions, rims = [], []
    for step in (step_mm, float(np.float32(step_mm))):
        grid = Volume(
            np.zeros((60, 90, 90), np.int16), np.diag([step, step, step, 1]), SeriesFacts("1", "1")
        )
        outline = on_native_grid(probability, (30.2, 45.3, 44.6), 9.0, grid)
        fractions.append(outline.fraction)
        rims.append(inside_rim(outline.mask, grid.spacing_mm, 9.0))
    assert np.abs(fractions[0] - fractions[1]).max() < 0.01
    assert np.array_equal(*rims)
