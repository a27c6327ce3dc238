"""The mass detector's training: chests, samples and loss."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from hounsfield.models.networks.mass_net import MassNet
from hounsfield.models.networks.onnx_graph import GraphSpec
from hounsfield.models.training.engine.network import make_network
from hounsfield.models.training.engine.task import TrainingTask
from hounsfield.models.training.masses.chests import load_chests
from hounsfield.models.training.masses.loss import mass_loss
from hounsfield.models.training.masses.pictures import mass_pictures
from hounsfield.models.training.masses.samples import CachedSamples, MassSamples, join_crops
from hounsfield.models.views.masses import IMAGE_CHANNELS, SIZE_DIVISOR
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from hounsfield.models.training.engine.configuration import DataConfig
    from hounsfield.models.training.masses.chests import Chest
    from hounsfield.models.training.masses.configuration import MassTrainingConfig

FOLDS = 10


def mass_task(config: MassTrainingConfig) -> TrainingTask:
    """Reads the chests and builds the task.

    Args:
        config: Training configuration of a mass detector.

    Returns:
        A `MassNet` with training crops, and validation crops that are made once.

    Raises:
        UsageError: The configuration or its material cannot be used.
    """
    optimisation = config.optimisation
    training, validation = split_chests(load_chests(config.data.cases), config.data)
    validation_samples = MassSamples(
        validation,
        config.sampling.model_copy(update={"batches_per_case": 1, "case_streams": 1}),
        length=optimisation.validation_samples,
        seed=config.seed + 1,
    )
    return TrainingTask(
        make_network(MassNet, config.network),
        MassSamples(
            training,
            config.sampling,
            length=optimisation.steps * optimisation.batch,
            seed=config.seed,
            batch=optimisation.batch,
        ),
        CachedSamples(validation_samples, workers=optimisation.loader_workers),
        mass_loss,
        collate=join_crops,
        pictures=mass_pictures,
        graph=GraphSpec((IMAGE_CHANNELS, 64, 64, 64), divisors=(SIZE_DIVISOR,) * 3),
    )


def split_chests(chests: list[Chest], data: DataConfig) -> tuple[list[Chest], list[Chest]]:
    """Splits chests into those that train and those that validate.

    Phantoms are split by person. There are too few real chests for that: all of them train, and
    validate too, warped otherwise, because what the network does on real organs must be watched.

    Args:
        chests: All chests of the configuration.
        data: Fold and held-out patients of the training.

    Returns:
        The chests that train, and those that validate.

    Raises:
        UsageError: A chest is of a patient who is held out, or either part has no lungs.
    """
    for chest in chests:
        if chest.patient_id in data.held_out_patients:
            msg = (
                f"{chest.name} is of patient {chest.patient_id}, who is held out by "
                f"data.held_out ({data.held_out}): remove its file from data.cases"
            )
            raise UsageError(msg)
    held = {c.name: zlib.crc32(c.patient_id.encode()) % FOLDS == data.fold for c in chests}
    validation = [chest for chest in chests if not chest.synthetic or held[chest.name]]
    training = [chest for chest in chests if not chest.synthetic or not held[chest.name]]
    for part, members in (("training", training), ("validation", validation)):
        with_lungs = sum(bool(chest.lungs.any()) for chest in members)
        if not with_lungs:
            msg = (
                f"there is no lung to put masses into in the {part} part: {with_lungs} of "
                f"{len(members)} chests there, of {len(chests)} in data.cases; add chests or "
                "choose another data.fold"
            )
            raise UsageError(msg)
    return training, validation
