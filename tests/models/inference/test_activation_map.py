"""The activation maps of the shipped classifier depend on its weights and highlight the nodules.

The network weights cells near the middle of its view more, by a fixed Gaussian, whatever its
trained weights. That alone must fulfil neither rule.
"""

import numpy as np
import pytest

from hounsfield.data.phantom import SMALL, NoduleSpec, make_phantom
from hounsfield.models.findings import Candidate, NoduleClass
from hounsfield.models.inference.classifier import NoduleClassifier
from hounsfield.models.inference.loading import load_classifier
from hounsfield.models.store.folders import model_folder, read_manifest
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.volume import apply_affine
from hounsfield.preprocessing.working_grid import to_working_volume

FOLDER = model_folder("nodule_classifier")
OFF_MM = 3.0
"""Distance of the candidates from the nodules, as a detector may give them."""


def carcinoma_map(classification, shown=None):
    """The map of `shown`, or of itself, for the likeliest carcinoma of a classification."""
    likeliest = list(NoduleClass)[int(np.argmax(classification.probabilities[:3]))]
    return (shown or classification).activation_map.contrast_for(likeliest)


@pytest.fixture(scope="module")
def phantom():
    """One nodule of each carcinoma subtype, and the working volume."""
    specs = [
        NoduleSpec(diameter_mm=14.0, margin="spiculated", histology="adenocarcinoma"),
        NoduleSpec(diameter_mm=20.0, margin="lobulated", histology="large_cell_carcinoma"),
        NoduleSpec(diameter_mm=18.0, margin="lobulated", histology="squamous_cell_carcinoma"),
    ]
    phantom = make_phantom(5, settings=SMALL, nodules=specs)
    return phantom.nodules, to_working_volume(phantom.volume, find_lungs(phantom.volume))


@pytest.fixture(scope="module")
def candidates(phantom):
    """Six candidates beside each nodule, along the axes, each with its nodule."""
    offsets_mm = OFF_MM * np.concatenate([np.eye(3), -np.eye(3)])
    return [
        (Candidate(tuple(np.add(nodule.centre_world_mm, offset)), nodule.diameter_mm, 0.9), nodule)
        for nodule in phantom[0]
        for offset in offsets_mm
    ]


@pytest.fixture(scope="module")
def classifications(phantom, candidates):
    """The candidates, classified with the shipped weights."""
    classifier = load_classifier(FOLDER, threads=1)
    return classifier.classify(phantom[1], [candidate for candidate, _ in candidates])


@pytest.fixture(scope="module")
def random_network():
    import torch

    from hounsfield.models.networks.class_net import ClassNet

    torch.manual_seed(0)
    return ClassNet(**read_manifest(FOLDER).network).eval()


@pytest.fixture(scope="module")
def cell_weights(random_network):
    """The fixed weights of the cells, ``[z, y, x]``."""
    return random_network.weight.numpy()


def test_maps_of_random_weights_do_not_correlate_with_those_of_the_shipped_weights(
    phantom, candidates, classifications, random_network, cell_weights
):
    """Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018."""
    import torch

    def run(views):
        with torch.inference_mode():
            return random_network(torch.from_numpy(views)).numpy()

    classifier = NoduleClassifier(read_manifest(FOLDER), run)
    random = classifier.classify(phantom[1], [candidate for candidate, _ in candidates])
    correlations = []
    for shipped, other in zip(classifications, random, strict=True):
        maps = [
            (carcinoma_map(shipped, shown) / cell_weights).ravel() for shown in (shipped, other)
        ]
        correlations.append(abs(np.corrcoef(maps)[0, 1]))
    assert np.mean(correlations) < 0.5


def test_the_map_of_the_likeliest_carcinoma_concentrates_on_the_nodule(
    candidates, classifications, cell_weights
):
    """It does so more than the weights of the cells alone."""
    gains = []
    for classification, (_, nodule) in zip(classifications, candidates, strict=True):
        cells_xyz = np.indices(cell_weights.shape)[::-1].reshape(3, -1).T
        world_mm = apply_affine(classification.activation_map.affine, cells_xyz)
        away_mm = np.linalg.norm(world_mm - nodule.centre_world_mm, axis=1)
        inside = away_mm.reshape(cell_weights.shape) < nodule.diameter_mm / 2
        activation = np.maximum(carcinoma_map(classification), 0)
        expected = cell_weights[inside].sum() / cell_weights.sum()
        gains.append(activation[inside].sum() / activation.sum() / expected)
    assert np.median(gains) > 1.3
