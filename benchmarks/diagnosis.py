"""Time and memory of all stages after detection, for 20 findings.

Run as ``python -m benchmarks.diagnosis``. The study is a phantom of 512 x 512 x 300 at 0.7 x 0.7 x
1 mm, written as DICOM into the page cache; making it takes about 15 s. It is analysed twice,
each time in a new process: without findings, and with the 20 best candidates as findings whatever
their score. The difference is the cost of the findings.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.data.phantom import make_phantom, write_phantom
from hounsfield.models.store.manifest import OperatingPoints
from hounsfield.pipeline.analysis.series import load_analyser
from hounsfield.pipeline.analysis.timing import peak_memory_mb
from hounsfield.pipeline.config import load_config
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.parallel import available_processors

if TYPE_CHECKING:
    from hounsfield.models.inference.loading import Models

FINDINGS = 20
WHOLE = "whole"


def main() -> None:
    """Prints the cost of the findings; with a study and a number, the times of one analysis."""
    if len(sys.argv) > 1:
        print(json.dumps(_analyse(Path(sys.argv[1]), findings=int(sys.argv[2]))))
        return
    with tempfile.TemporaryDirectory() as name:
        study = Path(name) / "study"
        write_phantom(make_phantom(1), study, formats=["dicom"])
        (without, without_mb), (full, full_mb) = (
            _in_own_process(study, findings) for findings in (0, FINDINGS)
        )
    print(f"{FINDINGS} findings in 512 x 512 x 300, {available_processors()} CPUs")
    for stage, seconds in full.items():
        if stage != WHOLE and (cost := seconds - without.get(stage, 0.0)) >= 0.01:
            print(f"  {cost:6.2f} s   {stage}")
    print(f"  {full[WHOLE] - without[WHOLE]:6.2f} s   in total (target: 3)")
    print(f"  {full_mb - without_mb:6.0f} MB  more memory (target: 400)")
    print(f"  {full[WHOLE]:6.2f} s   from files to report, without loading models (target: 10)")
    print(f"  {full_mb:6.0f} MB  peak (target: 2,000)")


def _analyse(study: Path, *, findings: int) -> tuple[dict[str, float], float]:
    """Seconds of each stage and of the whole, and peak memory in MB, with a number of findings."""
    config = load_config()
    detection = config.detection.model_copy(update={"max_findings": findings})
    config = config.model_copy(update={"detection": detection})
    analyser = load_analyser(config)
    analyser = replace(analyser, models=_every_candidate(analyser.models))
    (series,) = discover([study]).series
    started = time.perf_counter()
    report = analyser.analyse_series(series).render().report
    whole = time.perf_counter() - started
    assert len(report.findings) == findings
    return {**report.times.seconds, WHOLE: whole}, peak_memory_mb()


def _every_candidate(models: Models) -> Models:
    """The same models with an operating point that keeps every candidate."""
    final = models.stored.reducer or models.stored.detector
    points = OperatingPoints(screening=0.0, default=0.0, strict=0.0)
    manifest = final.manifest.model_copy(update={"operating_points": points})
    role = "reducer" if models.stored.reducer else "detector"
    stored = replace(models.stored, **{role: replace(final, manifest=manifest)})
    return replace(models, stored=stored)


def _in_own_process(study: Path, findings: int) -> tuple[dict[str, float], float]:
    command = [sys.executable, "-m", "benchmarks.diagnosis", str(study), str(findings)]
    process = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, megabytes = json.loads(process.stdout)
    return seconds, megabytes


if __name__ == "__main__":
    main()
