"""The shipped models, each with its architecture and the shape of one of its inputs."""

from hounsfield.models.networks.centre_net import CentreNet
from hounsfield.models.networks.class_net import ClassNet
from hounsfield.models.networks.mass_net import MassNet
from hounsfield.models.networks.rate_net import RateNet
from hounsfield.models.networks.reduce_net import ReduceNet
from hounsfield.models.networks.segment_net import segment_net

ARCHITECTURES = {
    "nodule_detector": CentreNet,
    "nodule_reducer": ReduceNet,
    "nodule_segmenter": segment_net,
    "nodule_classifier": ClassNet,
    "nodule_rater": RateNet,
    "mass_detector": MassNet,
}
INPUT_SHAPES = {
    "nodule_detector": (1, 1, 32, 32, 32),
    "nodule_reducer": (1, 2, 32, 32, 32),
    "nodule_segmenter": (1, 2, 32, 32, 32),
    "nodule_classifier": (1, 2, 40, 40, 40),
    "nodule_rater": (1, 6, 24, 24, 24),
    "mass_detector": (1, 3, 32, 32, 32),
}
