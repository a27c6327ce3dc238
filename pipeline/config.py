"""`RunConfig`: the configuration of a run, from YAML; defaults are in configs/default.yaml."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from hounsfield.preprocessing.documents import Strict, is_file, read_yaml, validated
from hounsfield.preprocessing.errors import UsageError

CONFIGS_FOLDER = Path(__file__).parent.parent / "configs"
DEFAULT_CONFIG = "default"
MAX_PATH_SHOWN = 200


class SeriesConfig(Strict):
    """The choice of a series within a study."""

    kernel: Literal["soft", "lung", "any"]


class ModelsConfig(Strict):
    """The models of a run, by name or folder."""

    detector: str
    reducer: str | None
    segmenter: str | None
    rater: str | None
    classifier: str
    classifier_flips: Literal[1, 2, 4]
    runtime: Literal["auto", "openvino", "torch"]


class DetectionConfig(Strict):
    """The choice of candidates that become findings."""

    operating_point: Literal["screening", "default", "strict"]
    max_findings: int = Field(ge=0)


class ReportConfig(Strict):
    """Guidelines and pictures of the report."""

    guidelines: tuple[str, ...]
    field_of_view_mm: float = Field(gt=0)
    window_centre_hu: float
    window_width_hu: float = Field(gt=0)
    compare_with_prior: bool
    activation_maps: bool


class ExecutionConfig(Strict):
    """Workers and limits; none of them changes a result."""

    workers: int = Field(ge=1)
    threads: int = Field(ge=0)
    timeout_s: float = Field(gt=0)
    private_output: bool


class RunConfig(Strict):
    """The configuration of a run; configs/default.yaml explains each value."""

    series: SeriesConfig
    models: ModelsConfig
    detection: DetectionConfig
    report: ReportConfig
    run: ExecutionConfig

    def sha256(self) -> str:
        """Hash everything that can change a result: all but the section `run`."""
        return hashlib.sha256(self.model_dump_json(exclude={"run"}).encode()).hexdigest()


def load_config(name_or_file: str = DEFAULT_CONFIG, *, workers: int | None = None) -> RunConfig:
    """Read a configuration; keys that it leaves out come from the default one.

    Args:
        name_or_file: Name of a file in ``configs/`` without its suffix, or a path.
        workers: Number of worker processes, instead of ``run.workers``.

    Returns:
        The complete configuration.

    Raises:
        UsageError: There is no such file, it is not YAML, or a key or value is not known.
    """
    path = _find(name_or_file)
    values = _merged(read_yaml(_find(DEFAULT_CONFIG)), read_yaml(path))
    if workers is not None:
        values = _merged(values, {"run": {"workers": workers}})
    return validated(values, RunConfig, source=path)


def _find(name_or_file: str) -> Path:
    path = Path(name_or_file)
    if is_file(path):
        return path
    named = CONFIGS_FOLDER / f"{name_or_file}.yaml"
    if path.name == name_or_file and is_file(named):
        return named
    stems = (file.stem for file in CONFIGS_FOLDER.glob("*.yaml"))
    names = ", ".join(sorted(stem for stem in stems if not stem.startswith("train_")))
    shown = name_or_file if len(name_or_file) <= MAX_PATH_SHOWN else f"{name_or_file[:60]}..."
    msg = f"the configuration must be a file or one of: {names}; got {shown!r}"
    raise UsageError(msg)


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it, section by section."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both else value
    return result
