"""The public Python API, as ``import hounsfield`` offers it."""

from __future__ import annotations

from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Literal, SupportsIndex

from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.volume import Volume

if TYPE_CHECKING:
    import SimpleITK
    from numpy.typing import ArrayLike
    from typing_extensions import TypeIs

    from hounsfield.data.phantom import Phantom
    from hounsfield.models.inference.loading import Models
    from hounsfield.pipeline.analysis.result import Analysis
    from hounsfield.pipeline.config import RunConfig
    from hounsfield.pipeline.evaluation.schema import Luna16Evaluation
    from hounsfield.preprocessing.lungs.segment import Lungs
    from hounsfield.preprocessing.selection import KernelChoice
    from hounsfield.preprocessing.series import Series

MAX_PHANTOM_NODULES = 100
"""More do not fit into a chest in reasonable time."""


def discover(path: str | Path) -> list[Series]:
    """Find every series below a path, from headers alone.

    Args:
        path: A DICOM, MetaImage or NIfTI file, a folder to any depth, or a zip archive.

    Returns:
        The series, each with ``rejection`` saying why it could not be analysed, or None.

    Raises:
        UsageError: The path does not exist.
    """
    from hounsfield.preprocessing.discovery import discover as find_series

    return list(find_series([_path(path)]).series)


def read(
    source: str | Path | Series | ArrayLike | SimpleITK.Image,
    affine: ArrayLike | None = None,
    *,
    series_uid: str | None = None,
) -> Volume:
    """Read a volume in Hounsfield units.

    Args:
        source: A path, of which the series that a run would analyse is read; a series from
            `discover`; a SimpleITK image in HU; or an array in HU, ``[z, y, x]``, with `affine`.
            The caller's array or image is copied, never changed.
        affine: For an array only: 4 x 4, maps (x, y, z) indices of voxel centres to LPS mm.
        series_uid: For a path only: the SeriesInstanceUID, where the path holds several studies.

    Returns:
        The volume on its native grid, with its notices.

    Raises:
        UsageError: The path does not exist, holds no series, or leaves a choice open; an array
            comes without an affine; or an argument does not go with this source.
        SeriesError: The series cannot be read, or its geometry or HU would not come out right.
        ValueError: The array or the affine has the wrong shape, type or values.
    """
    from hounsfield.preprocessing.reading import read_volume
    from hounsfield.preprocessing.series import Series

    if series_uid is not None and not isinstance(source, str | Path):
        msg = "series_uid goes with a path only"
        raise UsageError(msg)
    if isinstance(source, str | Path | Series) or _is_sitk_image(source):
        if affine is not None:
            msg = "affine goes with an array only: a file or an image has its own"
            raise UsageError(msg)
        if isinstance(source, Series):
            return read_volume(source)
        if isinstance(source, str | Path):
            return read_volume(_choose(source, series_uid=series_uid))
        return Volume.from_sitk(source)
    if source is None or hasattr(source, "dataobj") or not hasattr(source, "__array__"):
        msg = (
            "source must be a path, a series, a SimpleITK image or an array [z, y, x] in HU, got "
            f"{type(source).__name__}; of a nibabel image give np.asarray(image.dataobj).T and "
            "diag(-1, -1, 1, 1) @ image.affine"
        )
        raise UsageError(msg)
    if affine is None:
        msg = "an array needs an affine: 4 x 4, (x, y, z) indices of voxel centres to LPS mm"
        raise UsageError(msg)
    return Volume.from_array(source, affine)


def find_lungs(volume: Volume) -> Lungs:
    """Segment the lungs of a chest CT.

    Args:
        volume: A volume in HU on its native grid.

    Returns:
        Labels of both lungs on an upright 3 mm grid, and the region in which findings may lie.

    Raises:
        SeriesError: No lungs are found.
        UsageError: The argument is not a volume.
    """
    from hounsfield.preprocessing.lungs.segment import find_lungs as segment_lungs

    if not isinstance(volume, Volume):
        raise _not_a_volume(volume)
    return segment_lungs(volume)


def load_models(
    config: str | Path | RunConfig = "default", *, threads: int | None = None
) -> Models:
    """Load the networks that a configuration names, to use them for many volumes.

    Args:
        config: Name of a configuration in ``configs/``, a YAML file, or a loaded configuration.
        threads: CPU threads of each network, 1 or more; all cores by default.

    Returns:
        The loaded networks.

    Raises:
        UsageError: The configuration or a model is not known, or a weight file is not the
            published one.
    """
    from hounsfield.models.inference.loading import load_model_set
    from hounsfield.pipeline.report.provenance import find_configured_models
    from hounsfield.preprocessing.parallel import available_processors

    if threads is not None:
        _require_integer("threads", threads, 1)
    chosen = _config(config).models
    return load_model_set(
        find_configured_models(chosen),
        threads=threads or available_processors(),
        runtime=chosen.runtime,
        classifier_flips=chosen.classifier_flips,
    )


def analyse(
    source: str | Path | Series | Volume,
    *,
    models: Models | None = None,
    config: str | Path | RunConfig = "default",
    series_uid: str | None = None,
) -> Analysis:
    """Find, segment, measure and classify the lung nodules of one series.

    Args:
        source: A path, of which the series that a run would analyse is taken; a series from
            `discover`; or a volume from `read`.
        models: Networks from `load_models`; loaded anew for each call by default.
        config: Name of a configuration in ``configs/``, a YAML file, or a loaded configuration.
        series_uid: For a path only: the SeriesInstanceUID, where the path holds several studies.

    Returns:
        The findings with typed measurements; ``save(folder)`` writes the report.

    Raises:
        UsageError: The path or the configuration is wrong.
        SeriesError: The series cannot be read, or shows no lungs.
    """
    from hounsfield.pipeline.analysis.series import load_analyser
    from hounsfield.preprocessing.series import Series

    settings = _config(config)
    if isinstance(source, str | Path):
        source = _choose(source, series_uid=series_uid, kernel=settings.series.kernel)
    elif not isinstance(source, Volume | Series):
        raise _not_a_volume(source)
    analyser = load_analyser(settings, models=models)
    if isinstance(source, Volume):
        return analyser.analyse_volume(source)
    return analyser.analyse_series(source)


def evaluate_luna16(
    *,
    annotations: str | Path,
    predictions: str | Path,
    seriesuids: str | Path | None = None,
    excluded: str | Path | None = None,
    resamplings: int = 1000,
    seed: int = 0,
) -> Luna16Evaluation:
    """Evaluate detection by the LUNA16 protocol.

    Args:
        annotations: CSV of nodules, LUNA16's ``annotations.csv``.
        predictions: CSV of ``seriesuid, coordX, coordY, coordZ, probability``, in LPS mm.
        seriesuids: List of the scans that count, LUNA16's ``seriesuids.csv``; None takes the scans
            that the other tables name, with a warning.
        excluded: CSV of irrelevant findings, LUNA16's ``annotations_excluded.csv``.
        resamplings: Bootstrap samples over scans for the intervals.
        seed: Seed of the bootstrap.

    Returns:
        CPM, sensitivity at 1/8 to 8 false positives a scan, intervals and protocol warnings.

    Raises:
        UsageError: A table cannot be read; the message names row and column.
    """
    from hounsfield.pipeline.evaluation.luna16.evaluate import evaluate_luna16 as evaluate

    return evaluate(
        annotations=annotations,
        predictions=predictions,
        seriesuids=seriesuids,
        excluded=excluded,
        resamplings=resamplings,
        seed=seed,
    )


def make_phantom(
    seed: int = 1,
    *,
    size: Literal["full", "small"] = "full",
    nodules: int | None = None,
    folder: str | Path | None = None,
) -> Phantom:
    """Make a synthetic chest CT with known nodules.

    Args:
        seed: Decides the person, the scan and the nodules, 0 or more; the same seed gives the
            same bytes.
        size: ``full`` has 512 x 512 x 300 voxels, ``small`` 256 x 256 x 80.
        nodules: Number of nodules, 0 to 100; random by default.
        folder: Write a DICOM series and ``truth.json`` into this new folder.

    Returns:
        The phantom: ``volume``, and ``nodules`` with centre, diameter and class.

    Raises:
        UsageError: The seed, the size or the number of nodules is not one of these.
        OutputError: The folder cannot be written.
    """
    from dataclasses import replace

    from hounsfield.data.phantom import SMALL, PhantomSettings, write_phantom
    from hounsfield.data.phantom import make_phantom as render_phantom
    from hounsfield.preprocessing.errors import writing_to

    if size not in {"full", "small"}:
        msg = f"size must be full or small, got {size!r}"
        raise UsageError(msg)
    _require_integer("seed", seed, 0)
    if nodules is not None:
        _require_integer("nodules", nodules, 0, MAX_PHANTOM_NODULES)
    settings = replace(SMALL if size == "small" else PhantomSettings(), nodule_count=nodules)
    phantom = render_phantom(seed, settings=settings)
    if folder is not None:
        with writing_to(Path(folder)):
            write_phantom(phantom, Path(folder), formats=("dicom",))
    return phantom


def _path(path: str | Path) -> Path:
    """The path, unless it is empty: pathlib would read that as the current folder."""
    if not str(path).strip():
        msg = "the path is empty; for the current folder give '.'"
        raise UsageError(msg)
    return Path(path)


def _choose(
    path: str | Path, *, series_uid: str | None = None, kernel: KernelChoice = "soft"
) -> Series:
    from hounsfield.pipeline.series_choice import choose_series

    series, _ = choose_series(_path(path), series_uid=series_uid, kernel=kernel)
    return series


def _require_integer(name: str, value: object, lowest: int, highest: int | None = None) -> None:
    """Raise `UsageError` unless a value is an integer, of Python or NumPy, within its limits."""
    number = index(value) if isinstance(value, SupportsIndex) else None
    if number is None or number < lowest or (highest is not None and number > highest):
        limits = f"{lowest} or more" if highest is None else f"{lowest} to {highest}"
        msg = f"{name} must be an integer, {limits}, got {value!r}"
        raise UsageError(msg)


def _not_a_volume(source: object) -> UsageError:
    kind = type(source).__name__
    return UsageError(f"a volume is needed, got {kind}: make one with hf.read(array, affine)")


def _is_sitk_image(source: object) -> TypeIs[SimpleITK.Image]:
    """Recognise an image without importing SimpleITK for callers who do not use it."""
    return hasattr(source, "TransformIndexToPhysicalPoint")


def _config(config: str | Path | RunConfig) -> RunConfig:
    from hounsfield.pipeline.config import RunConfig, load_config

    return config if isinstance(config, RunConfig) else load_config(str(config))
