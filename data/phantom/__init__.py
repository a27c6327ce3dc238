"""A phantom of the chest on CT with known ground truth."""

from hounsfield.data.phantom.nodules.histology import draw_nodule
from hounsfield.data.phantom.nodules.painting import PaintedNodule, paint_nodule
from hounsfield.data.phantom.nodules.spec import HISTOLOGIES, NoduleSpec
from hounsfield.data.phantom.phantom import Phantom, PhantomNodule, make_phantom
from hounsfield.data.phantom.settings import SMALL, PhantomSettings
from hounsfield.data.phantom.visit import Visit
from hounsfield.data.phantom.writing import NoduleTruth, PhantomTruth, truth_of, write_phantom

__all__ = [
    "HISTOLOGIES",
    "SMALL",
    "NoduleSpec",
    "NoduleTruth",
    "PaintedNodule",
    "Phantom",
    "PhantomNodule",
    "PhantomSettings",
    "PhantomTruth",
    "Visit",
    "draw_nodule",
    "make_phantom",
    "paint_nodule",
    "truth_of",
    "write_phantom",
]
