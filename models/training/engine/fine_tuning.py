"""Fine-tuning: a training that starts from the weights of an existing model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safetensors.torch import load

from hounsfield.models.store.folders import (
    model_folder,
    read_manifest,
    using_model,
    verified_weights,
)
from hounsfield.models.store.manifest import FineTunedFrom
from hounsfield.models.training.engine.material import real_series_not_trained_on
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    from hounsfield.models.store.manifest import Manifest, TrainingMaterial
    from hounsfield.models.training.engine.configuration import TrainingConfig


def load_initial_weights(config: TrainingConfig, network: nn.Module) -> Manifest | None:
    """Loads the weights of the model to fine-tune into a network.

    Args:
        config: Its `start_from` names the model; null leaves the random initialisation.
        network: Network of that model's architecture; changed in place.

    Returns:
        The manifest of the model that is fine-tuned; None for random initialisation.

    Raises:
        UsageError: There is no such model, it is not one of this task and network, or it was
            trained on series that this training validates, tests or calibrates on.
    """
    if config.start_from is None:
        return None
    folder = model_folder(config.start_from.replace("{fold}", str(config.data.fold)))
    manifest = read_manifest(folder)
    wanted = "detector" if config.task == "retinanet" else config.task
    if manifest.task != wanted:
        msg = (
            f"start_from: {config.start_from} is a {manifest.task}, but this configuration trains "
            f"a {wanted}"
        )
        raise UsageError(msg)
    _refuse_leaks(config, manifest)
    with using_model(folder):
        weights = load(verified_weights(folder))
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        msg = (
            f"start_from: the weights of {config.start_from} do not fit the configured network; "
            f"that model has {manifest.network}"
        )
        raise UsageError(msg) from error
    return manifest


def _refuse_leaks(config: TrainingConfig, start: Manifest) -> None:
    """Series that are held out here must have been held out there; manifests list real series."""
    trained_on = {uid for material in start.training_material for uid in material.series_uids}
    if leaked := sorted(real_series_not_trained_on(config.data) & trained_on):
        msg = (
            f"start_from: {config.start_from} was trained on {len(leaked)} of the series that fold "
            f"{config.data.fold} holds out for validation, testing or calibration, such as "
            f"{leaked[0]}: results on them would be biased"
        )
        raise UsageError(msg)


def fine_tuned_from(manifest: Manifest | None) -> FineTunedFrom | None:
    """Describes the fine-tuned model for the manifest of the new one.

    Args:
        manifest: Manifest of the model that was fine-tuned; None for random initialisation.

    Returns:
        Name, version and hash of that model; None for random initialisation.
    """
    if manifest is None:
        return None
    return FineTunedFrom(name=manifest.name, version=manifest.version, sha256=manifest.sha256)


def all_material(
    own: tuple[TrainingMaterial, ...], start: Manifest | None
) -> tuple[TrainingMaterial, ...]:
    """Returns everything that weights were trained on, that of the fine-tuned model included.

    Args:
        own: Material of this training.
        start: Manifest of the model that was fine-tuned; None for random initialisation.
    """
    before = () if start is None else start.training_material
    return own + tuple(material for material in before if material not in own)
