"""Both outlines of a finding, and its density."""

import numpy as np

from hounsfield.models.contracts import NoduleSegmentations
from hounsfield.models.inference.outlines import segment_findings
from hounsfield.models.measurements.density import Texture
from tests.models.balls import a_ball_volume


class TwoEdges:
    """NoduleSegmentations the same two balls whatever it is shown."""

    def __init__(self, exact, drawn):
        self.answer = NoduleSegmentations(exact, drawn)

    def segment(self, _volume, candidates):
        return [self.answer] * len(candidates)


def test_a_nodule_has_both_edges_and_its_density_inside_the_one_that_readers_would_draw():
    volume, wide = a_ball_volume(18.0, inside_hu=-600)
    _, core = a_ball_volume(9.0)
    hu = np.where(core.fraction >= 0.5, 30, volume.hu).astype(np.int16)
    seen = type(volume)(hu, volume.affine, volume.series)
    (nodule,) = segment_findings(TwoEdges(core, wide), seen, [None])
    assert (nodule.boundary, nodule.reader_style) == (core, wide)
    assert nodule.density.texture is Texture.PART_SOLID
    (solid,) = segment_findings(TwoEdges(core, None), seen, [None])
    assert solid.density.texture is Texture.SOLID


def test_what_has_no_true_edge_has_its_density_still():
    volume, wide = a_ball_volume(18.0, inside_hu=-600)
    (nodule,) = segment_findings(TwoEdges(None, wide), volume, [None])
    assert nodule.boundary is None
    assert nodule.reader_style is wide
    assert nodule.density.texture is Texture.NON_SOLID
    (nothing,) = segment_findings(TwoEdges(None, None), volume, [None])
    assert nothing.boundary is nothing.density is None
