"""`RunConfig`: how a run works, from YAML; every default stands in configs/default.yaml."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hounsfield.preprocessing.errors import UsageError

CONFIGS_FOLDER = Path(__file__).parent.parent / "configs"
DEFAULT_CONFIG = "default"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SeriesConfig(_Section):
    """Which series of a study is analysed."""

    kernel: Literal["soft", "lung", "any"]


class ModelsConfig(_Section):
    """Which weights."""

    detector: str
    reducer: str | None
    segmenter: str | None
    rater: str | None
    classifier: str
    classifier_flips: Literal[1, 2, 4]
    runtime: Literal["auto", "openvino", "torch"]


class DetectionConfig(_Section):
    """Which candidates become findings."""

    operating_point: Literal["screening", "default", "strict"]
    max_findings: int = Field(ge=0)


class ReportConfig(_Section):
    """How findings are shown."""

    guidelines: tuple[str, ...]
    field_of_view_mm: float = Field(gt=0)
    window_centre_hu: float
    window_width_hu: float = Field(gt=0)
    compare_with_prior: bool
    activation_maps: bool


class ExecutionConfig(_Section):
    """How the work is done; none of it changes what comes out."""

    workers: int = Field(ge=1)
    threads: int = Field(ge=0)
    timeout_s: float = Field(gt=0)


class RunConfig(_Section):
    """All of it; configs/default.yaml says what each value means."""

    series: SeriesConfig
    models: ModelsConfig
    detection: DetectionConfig
    report: ReportConfig
    run: ExecutionConfig

    def sha256(self) -> str:
        """The hash of everything that can change a result: all but the section `run`."""
        return hashlib.sha256(self.model_dump_json(exclude={"run"}).encode()).hexdigest()


def load_config(name_or_file: str = DEFAULT_CONFIG, *, workers: int | None = None) -> RunConfig:
    """Reads a configuration; what it does not say is taken from the default one.

    Args:
        name_or_file: The name of a file in `configs/` without its suffix, or a path.
        workers: Replaces ``run.workers``.

    Raises:
        UsageError: There is no such file, it is not YAML, or a key or value is not known.
    """
    path = _find(name_or_file)
    values = _merged(read_yaml(_find(DEFAULT_CONFIG)), read_yaml(path))
    if workers is not None:
        values = _merged(values, {"run": {"workers": workers}})
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        msg = f"{path}: {key}: {first['msg']}, got {first['input']!r}"
        raise UsageError(msg) from error


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a file of sections; an empty one has none.

    Raises:
        UsageError: It cannot be read, is not YAML, or holds no sections.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        reason = " ".join(str(error).split())
        msg = f"{path} cannot be read as YAML: {reason}"
        raise UsageError(msg) from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        msg = f"{path} must hold sections with keys, got {type(values).__name__}"
        raise UsageError(msg)
    return values


def _find(name_or_file: str) -> Path:
    path = Path(name_or_file)
    if path.is_file():
        return path
    named = CONFIGS_FOLDER / f"{name_or_file}.yaml"
    if path.name == name_or_file and named.is_file():
        return named
    stems = (file.stem for file in CONFIGS_FOLDER.glob("*.yaml"))
    names = ", ".join(sorted(stem for stem in stems if not stem.startswith("train_")))
    msg = f"--config must be a file or one of: {names}; got {name_or_file!r}"
    raise UsageError(msg)


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it, section by section."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both else value
    return result
