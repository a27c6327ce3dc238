"""Begins a training with the weights of a model that there is: fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safetensors.torch import load

from hounsfield.models.store.folders import model_folder, read_manifest, verified_weights
from hounsfield.models.store.manifest import FineTunedFrom
from hounsfield.models.training.engine.material import real_series_apart
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    from hounsfield.models.store.manifest import Manifest, TrainingMaterial
    from hounsfield.models.training.engine.configuration import TrainingConfig


def begin_with(config: TrainingConfig, network: nn.Module) -> Manifest | None:
    """Loads the weights that a recipe starts from into its network.

    Args:
        config: The recipe.
        network: Is changed in place.

    Returns:
        The manifest of the model that was started from; None where the recipe names none.

    Raises:
        UsageError: There is no such model, it is not one of this task and network, or it was
            trained on series that this recipe keeps for validation, testing or calibration.
    """
    if config.start_from is None:
        return None
    folder = model_folder(config.start_from.replace("{fold}", str(config.data.fold)))
    manifest = read_manifest(folder)
    wanted = "detector" if config.task == "retinanet" else config.task
    if manifest.task != wanted:
        msg = f"start_from: {config.start_from} is a {manifest.task}, the recipe makes a {wanted}"
        raise UsageError(msg)
    _refuse_leaks(config, manifest)
    try:
        network.load_state_dict(load(verified_weights(folder)))
    except RuntimeError as error:
        msg = (
            f"start_from: the weights of {config.start_from} do not fit the recipe's network; "
            f"that model has {manifest.network}"
        )
        raise UsageError(msg) from error
    return manifest


def _refuse_leaks(config: TrainingConfig, start: Manifest) -> None:
    """What is kept apart here must have been kept apart there; manifests list the real series."""
    seen = {uid for material in start.training_material for uid in material.series_uids}
    if leaked := sorted(real_series_apart(config.data) & seen):
        msg = (
            f"start_from: {config.start_from} was trained on {len(leaked)} of the series that fold "
            f"{config.data.fold} keeps for validation, testing or calibration, such as "
            f"{leaked[0]}: its scores there would mean nothing"
        )
        raise UsageError(msg)


def fine_tuned_from(manifest: Manifest | None) -> FineTunedFrom | None:
    """What the new model's manifest tells of the one it began with."""
    if manifest is None:
        return None
    return FineTunedFrom(name=manifest.name, version=manifest.version, sha256=manifest.sha256)


def all_material(
    own: tuple[TrainingMaterial, ...], start: Manifest | None
) -> tuple[TrainingMaterial, ...]:
    """What a model was trained on: what it began with was trained on too."""
    before = () if start is None else start.training_material
    return own + tuple(material for material in before if material not in own)
