"""`ModelSet`: the stored models of a run, chosen and checked against one another by manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hounsfield.models.store.folders import model_folder, read_manifest
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.models.store.manifest import Manifest

Role = Literal["detector", "mass_detector", "reducer", "segmenter", "rater", "classifier"]
OperatingPoint = Literal["screening", "default", "strict"]


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model's folder and its manifest; its weights are not read yet."""

    folder: Path
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class ModelSet:
    """The models of a run.

    Attributes:
        detector: Proposes candidates on its own grid.
        classifier: Gives each finding its class probabilities.
        reducer: Scores the detector's candidates again; None where the detector's score is final.
        segmenter: Segments findings; None where nothing is measured.
        rater: Rates the malignancy of segmented findings; None where nothing is rated.
    """

    detector: StoredModel
    classifier: StoredModel
    reducer: StoredModel | None = None
    segmenter: StoredModel | None = None
    rater: StoredModel | None = None

    @property
    def manifests(self) -> dict[Role, Manifest]:
        """The manifests by role, in the order in which the models run."""
        models: dict[Role, StoredModel | None] = {
            "detector": self.detector,
            "reducer": self.reducer,
            "segmenter": self.segmenter,
            "rater": self.rater,
            "classifier": self.classifier,
        }
        return {role: model.manifest for role, model in models.items() if model is not None}

    @property
    def detector_spacing_mm(self) -> tuple[float, float, float]:
        """Voxel spacing (x, y, z) of the grid on which the detector runs, in mm."""
        return self.detector.manifest.spacing_mm

    def score_threshold(self, operating_point: OperatingPoint) -> float:
        """Return the final score from which a candidate becomes a finding, 0 to 1."""
        points = (self.reducer or self.detector).manifest.operating_points
        assert points is not None  # `find_models` refuses a set without
        threshold: float = getattr(points, operating_point)
        return threshold


def find_models(
    *,
    detector: str,
    classifier: str,
    reducer: str | None = None,
    segmenter: str | None = None,
    rater: str | None = None,
) -> ModelSet:
    """Find the models of a run and check that they belong together.

    Args:
        detector: Name in the store, or folder, of the detector.
        classifier: Name or folder of the classifier.
        reducer: Name or folder of the reducer; None leaves the detector's score as it is.
        segmenter: Name or folder of the segmenter; None measures nothing.
        rater: Name or folder of the malignancy rater, which needs a segmenter; None rates nothing.

    Returns:
        The models with their manifests; no weights are read.

    Raises:
        UsageError: A model is not known, is of another task, has no operating points, or does not
            belong to the others.
    """
    if rater is not None and segmenter is None:
        msg = "models.rater needs models.segmenter, got null: set both or neither"
        raise UsageError(msg)
    models = ModelSet(
        detector=stored_model(detector, "detector"),
        classifier=stored_model(classifier, "classifier"),
        reducer=_optional(reducer, "reducer"),
        segmenter=_optional(segmenter, "segmenter"),
        rater=_optional(rater, "rater"),
    )
    if models.reducer is not None:
        require_own_detector(models.reducer.manifest, models.detector.manifest)
    final = (models.reducer or models.detector).manifest
    if final.operating_points is None:
        msg = f"the {final.task} {final.name} has no operating points; choose another"
        raise UsageError(msg)
    return models


def stored_model(name_or_folder: str | Path, task: Role) -> StoredModel:
    """Find one model of a task.

    Args:
        name_or_folder: Name in the store, or the model's own folder.
        task: The task that its manifest must name.

    Returns:
        The folder and its manifest.

    Raises:
        UsageError: There is no such model, or it is of another task.
    """
    folder = model_folder(str(name_or_folder))
    manifest = read_manifest(folder)
    if manifest.task != task:
        msg = f"a {task} is needed, but {manifest.name} is a {manifest.task}"
        raise UsageError(msg)
    return StoredModel(folder, manifest)


def require_own_detector(reducer: Manifest, detector: Manifest) -> None:
    """Refuse a reducer that was trained and calibrated on another detector's candidates.

    Args:
        reducer: Manifest of the reducer; names its detector by the hash of the weights.
        detector: Manifest of the detector that would run before it.

    Raises:
        UsageError: This is another detector, or the same one with other weights or calibration.
    """
    own = reducer.detector
    if own is None or (own.sha256, own.calibration) != (detector.sha256, detector.calibration):
        expected = f"{own.name} with weights {own.sha256[:12]}" if own else "no detector"
        msg = (
            f"the reducer {reducer.name} belongs to {expected}, got {detector.name} with weights "
            f"{detector.sha256[:12]}: set models.reducer to null or to a reducer of this detector"
        )
        raise UsageError(msg)


def _optional(name: str | None, task: Role) -> StoredModel | None:
    return None if name is None else stored_model(name, task)
