"""Both segmentations of a finding, and its density."""

import numpy as np

from hounsfield.models.contracts import NoduleSegmentations
from hounsfield.models.inference.outlines import segment_findings
from hounsfield.models.measurements.density import Texture
from tests.models.balls import a_ball_volume


class FixedSegmenter:
    """Returns the same two segmentations for any candidate."""

    def __init__(self, boundary, reader_style):
        self.segmentations = NoduleSegmentations(boundary, reader_style)

    def segment(self, _volume, candidates):
        return [self.segmentations] * len(candidates)


def test_the_density_is_measured_in_the_reader_style_segmentation():
    volume, wide = a_ball_volume(18.0, inside_hu=-600)
    _, core = a_ball_volume(9.0)
    hu = np.where(core.fraction >= 0.5, 30, volume.hu).astype(np.int16)
    part_solid = type(volume)(hu, volume.affine, volume.series)
    (nodule,) = segment_findings(FixedSegmenter(core, wide), part_solid, [None])
    assert (nodule.boundary, nodule.reader_style) == (core, wide)
    assert nodule.density.texture is Texture.PART_SOLID


def test_without_a_reader_style_segmentation_the_density_is_that_inside_the_boundary():
    volume, core = a_ball_volume(9.0)
    (nodule,) = segment_findings(FixedSegmenter(core, None), volume, [None])
    assert nodule.density.texture is Texture.SOLID


def test_a_nodule_without_a_boundary_still_has_a_density():
    volume, wide = a_ball_volume(18.0, inside_hu=-600)
    (nodule,) = segment_findings(FixedSegmenter(None, wide), volume, [None])
    assert nodule.boundary is None
    assert nodule.reader_style is wide
    assert nodule.density.texture is Texture.NON_SOLID


def test_a_candidate_without_any_segmentation_has_no_density():
    volume, _ = a_ball_volume(18.0)
    (nodule,) = segment_findings(FixedSegmenter(None, None), volume, [None])
    assert nodule.boundary is nodule.reader_style is nodule.density is None
