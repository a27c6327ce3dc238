"""Find, segment, measure and classify lung nodules on chest CT.

Everything here is loaded when it is first used, so that ``import hounsfield`` costs nothing::

    import hounsfield as hf

    analysis = hf.analyse("study")
    for finding in analysis.findings:
        print(finding.centre_world_mm, finding.diameter_mm, finding.malignancy)
    analysis.save("report")

Research software, not a medical device.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hounsfield.data.phantom import Phantom
    from hounsfield.models.findings import Finding
    from hounsfield.models.inference.loading import Models
    from hounsfield.pipeline.analysis.result import Analysis
    from hounsfield.pipeline.api import (
        analyse,
        discover,
        evaluate_luna16,
        find_lungs,
        load_models,
        make_phantom,
        read,
    )
    from hounsfield.preprocessing.errors import (
        HounsfieldError,
        OutputError,
        SeriesError,
        UsageError,
    )
    from hounsfield.preprocessing.lungs.segment import Lungs
    from hounsfield.preprocessing.series import Series
    from hounsfield.preprocessing.volume import Volume

    __version__: str

__all__ = [
    "Analysis",
    "Finding",
    "HounsfieldError",
    "Lungs",
    "Models",
    "OutputError",
    "Phantom",
    "Series",
    "SeriesError",
    "UsageError",
    "Volume",
    "__version__",
    "analyse",
    "discover",
    "evaluate_luna16",
    "find_lungs",
    "load_models",
    "make_phantom",
    "read",
]

_MODULES = {
    "Analysis": "hounsfield.pipeline.analysis.result",
    "Finding": "hounsfield.models.findings",
    "HounsfieldError": "hounsfield.preprocessing.errors",
    "Lungs": "hounsfield.preprocessing.lungs.segment",
    "Models": "hounsfield.models.inference.loading",
    "OutputError": "hounsfield.preprocessing.errors",
    "Phantom": "hounsfield.data.phantom",
    "Series": "hounsfield.preprocessing.series",
    "SeriesError": "hounsfield.preprocessing.errors",
    "UsageError": "hounsfield.preprocessing.errors",
    "Volume": "hounsfield.preprocessing.volume",
    "analyse": "hounsfield.pipeline.api",
    "discover": "hounsfield.pipeline.api",
    "evaluate_luna16": "hounsfield.pipeline.api",
    "find_lungs": "hounsfield.pipeline.api",
    "load_models": "hounsfield.pipeline.api",
    "make_phantom": "hounsfield.pipeline.api",
    "read": "hounsfield.pipeline.api",
}


if not TYPE_CHECKING:  # so that a type checker still refuses a misspelt name

    def __getattr__(name: str) -> object:
        """Load a public name when it is first used (PEP 562)."""
        if name == "__version__":
            value: object = import_module("importlib.metadata").version("hounsfield")
        elif name in _MODULES:
            value = getattr(import_module(_MODULES[name]), name)
        else:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
