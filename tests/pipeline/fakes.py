"""Models without a network, for runs through the real stages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from hounsfield.models.contracts import NoduleSegmentations, Segmentation
from hounsfield.models.findings import ActivationMap, Candidate, Classification
from hounsfield.models.inference.loading import Models
from hounsfield.pipeline.analysis.series import load_analyser, report_maker
from hounsfield.pipeline.report.provenance import find_configured_models


class BlobDetector:
    """Marks dense blobs in the search mask that a ball of their volume describes well."""

    def detect(self, volume):
        blobs, count = ndimage.label((volume.hu > -400) & volume.search_mask)
        marks = []
        for index, box in enumerate(ndimage.find_objects(blobs, count), start=1):
            inside = blobs[box] == index
            diameter_mm = (6 * inside.sum() / np.pi) ** (1 / 3) * volume.spacing_mm[0]
            roundness = diameter_mm / (max(inside.shape) * volume.spacing_mm[0])
            if diameter_mm > 5 and roundness > 0.7:
                middle_zyx = np.argwhere(inside).mean(axis=0) + [side.start for side in box]
                x, y, z = volume.world_mm(middle_zyx[::-1])
                marks.append(Candidate((float(x), float(y), float(z)), diameter_mm, roundness))
        return sorted(marks, key=lambda mark: -mark.score)


class DoubtingReducer:
    """Halves every score."""

    def reduce(self, volume, candidates):
        del volume
        return [replace(candidate, score=candidate.score / 2) for candidate in candidates]


class BrightSegmenter:
    """Calls nodule what is dense within 0.6 of a candidate's diameter of its centre."""

    def segment(self, volume, candidates):
        outlines = []
        for candidate in candidates:
            centre = volume.voxel_xyz(candidate.centre_world_mm)[::-1]
            reach = 0.6 * candidate.diameter_mm / np.array(volume.spacing_mm[::-1])
            low = np.maximum(np.floor(centre - reach), 0).astype(int)
            high = np.minimum(np.ceil(centre + reach) + 1, volume.shape_zyx).astype(int)
            box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
            away = [
                (np.arange(a, b) - c) / r
                for a, b, c, r in zip(low, high, centre, reach, strict=True)
            ]
            near = np.add.outer(np.add.outer(away[0] ** 2, away[1] ** 2), away[2] ** 2) <= 1
            nodule = (near & (volume.hu[box] > -400)).astype(np.float32)
            outlines.append(NoduleSegmentations(*[Segmentation(tuple(low.tolist()), nodule)] * 2))
        return outlines


class CalmRater:
    """Finds whatever is outlined a little suspicious."""

    def rate(self, volume, candidates, outlines):
        del volume, candidates
        return [None if outline is None else 0.25 for outline in outlines]


class EvenClassifier:
    """Says the same of every candidate, for a reason that lies in a single voxel of its middle."""

    def classify(self, volume, candidates):
        del volume
        activation = np.zeros((4, 3, 3, 3), np.float32)
        activation[0, 1, 1, 1] = 1
        classifications = []
        for candidate in candidates:
            affine = np.diag([4.0, 4.0, 4.0, 1.0])
            affine[:3, 3] = np.subtract(candidate.centre_world_mm, 4.0)
            activation_map = ActivationMap(activation, affine)
            classifications.append(
                Classification((0.62, 0.05, 0.21, 0.12), activation_map=activation_map)
            )
        return classifications


def fake_models(config):
    """The networks above, under the manifests of the models that a configuration names."""
    return Models(
        BlobDetector(),
        EvenClassifier(),
        find_configured_models(config.models),
        reducer=DoubtingReducer() if config.models.reducer else None,
        segmenter=BrightSegmenter() if config.models.segmenter else None,
        rater=CalmRater() if config.models.rater else None,
    )


def fake_analyser(config, **options):
    """An analyser with networks that need no weights."""
    return load_analyser(config, models=fake_models(config), **options)


def make_fake_analyser(settings):
    """What the runner calls in each worker."""
    return report_maker(
        fake_analyser(settings.config, provenance=settings.provenance, clinical=settings.clinical)
    )
