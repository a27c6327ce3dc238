"""The evidence maps of the shipped classifier depend on its weights and lie on nodules.

The network counts places near the middle of its view more, by a fixed bell, whatever its weights.
Neither rule may be met by that alone.
"""

import numpy as np
import pytest

from hounsfield.data.phantom import SMALL, NoduleSpec, make_phantom
from hounsfield.models.contracts import Candidate, NoduleClass
from hounsfield.models.inference.classifier import NoduleClassifier
from hounsfield.models.inference.loading import load_classifier
from hounsfield.models.store.folders import model_folder, read_manifest
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.volume import apply_affine
from hounsfield.preprocessing.working_grid import to_working_volume

FOLDER = model_folder("nodule_classifier")
OFF_MM = 3.0
"""The marks lie so far beside the nodules, as a detector's may."""


def carcinoma_map(said, shown):
    """What a report draws of `shown` where `said` names the carcinoma."""
    likeliest = list(NoduleClass)[int(np.argmax(said.probabilities[:3]))]
    return shown.activation_map.contrast_for(likeliest)


@pytest.fixture(scope="module")
def phantom():
    """A nodule like each carcinoma, and the working volume."""
    specs = [
        NoduleSpec(diameter_mm=14.0, margin="spiculated", histology="adenocarcinoma"),
        NoduleSpec(diameter_mm=20.0, margin="lobulated", histology="large_cell_carcinoma"),
        NoduleSpec(diameter_mm=18.0, margin="lobulated", histology="squamous_cell_carcinoma"),
    ]
    made = make_phantom(5, settings=SMALL, nodules=specs)
    return made.nodules, to_working_volume(made.volume, find_lungs(made.volume))


@pytest.fixture(scope="module")
def marks(phantom):
    """Six marks beside each nodule, along the axes, each with its nodule."""
    offsets_mm = OFF_MM * np.concatenate([np.eye(3), -np.eye(3)])
    return [
        (Candidate(tuple(np.add(one.centre_world_mm, offset_mm)), one.diameter_mm, 0.9), one)
        for one in phantom[0]
        for offset_mm in offsets_mm
    ]


@pytest.fixture(scope="module")
def said(phantom, marks):
    """What the shipped weights say of the marks."""
    return load_classifier(FOLDER, threads=1).classify(phantom[1], [mark for mark, _ in marks])


@pytest.fixture(scope="module")
def random_network():
    import torch

    from hounsfield.models.networks.class_net import ClassNet

    torch.manual_seed(0)
    return ClassNet(**read_manifest(FOLDER).network).eval()


@pytest.fixture(scope="module")
def bell(random_network):
    """How much each cell counts whatever the weights, ``[z, y, x]``."""
    return random_network.weight.numpy()


def test_random_weights_give_other_maps(phantom, marks, said, random_network, bell):
    """Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018; without the common bell."""
    import torch

    def run(views):
        with torch.inference_mode():
            return random_network(torch.from_numpy(views)).numpy()

    classifier = NoduleClassifier(read_manifest(FOLDER), run)
    random = classifier.classify(phantom[1], [mark for mark, _ in marks])
    alike = []
    for one, other in zip(said, random, strict=True):
        maps = [(carcinoma_map(one, each) / bell).ravel() for each in (one, other)]
        alike.append(abs(np.corrcoef(maps)[0, 1]))
    assert np.mean(alike) < 0.5


def test_what_speaks_for_the_likeliest_carcinoma_lies_on_the_nodule(marks, said, bell):
    """More of it, that is, than the bell alone would put there."""
    gains = []
    for one, (_, nodule) in zip(said, marks, strict=True):
        cells_xyz = np.indices(bell.shape)[::-1].reshape(3, -1).T
        world_mm = apply_affine(one.activation_map.affine, cells_xyz)
        away_mm = np.linalg.norm(world_mm - nodule.centre_world_mm, axis=1)
        inside = away_mm.reshape(bell.shape) < nodule.diameter_mm / 2
        evidence = np.maximum(carcinoma_map(one, one), 0)
        expected = bell[inside].sum() / bell.sum()
        gains.append(evidence[inside].sum() / evidence.sum() / expected)
    assert np.median(gains) > 1.3
