"""What everything after detection costs: 20 findings outlined, rated, classified, measured, drawn.

Run as ``python -m benchmarks.diagnosis``. The study is a phantom of 512 x 512 x 300 at 0.7 x 0.7 x
1 mm, written as DICOM into the page cache; making it takes a quarter of a minute. It is analysed
twice, each time in a process of its own: with no finding kept, and with the 20 best candidates
kept whatever their score. The difference is what the findings cost.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hounsfield.data.phantom import make_phantom, write_phantom
from hounsfield.pipeline.analysis.series import prepare
from hounsfield.pipeline.analysis.timing import peak_memory_mb
from hounsfield.pipeline.batch.worker import WorkOrder
from hounsfield.pipeline.config import load_config
from hounsfield.pipeline.report.provenance import read_provenance
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.parallel import available_processors

FINDINGS = 20
WHOLE = "whole"


def main() -> None:
    """Prints what the findings add; with a study and a number, analyses it once and says how."""
    if len(sys.argv) > 1:
        print(json.dumps(analyse(Path(sys.argv[1]), findings=int(sys.argv[2]))))
        return
    with tempfile.TemporaryDirectory() as name:
        study = Path(name) / "study"
        write_phantom(make_phantom(1), study, formats=["dicom"])
        (bare, least_mb), (full, most_mb) = (
            _in_own_process(study, findings) for findings in (0, FINDINGS)
        )
    print(f"{FINDINGS} findings in 512 x 512 x 300, {available_processors()} processors")
    for stage, seconds in full.items():
        if stage != WHOLE and (more := seconds - bare.get(stage, 0.0)) >= 0.01:
            print(f"  {more:6.2f} s   {stage}")
    print(f"  {full[WHOLE] - bare[WHOLE]:6.2f} s   more in all (aim: 3)")
    print(f"  {most_mb - least_mb:6.0f} MB  more (aim: 400)")
    print(f"  {full[WHOLE]:6.2f} s   from files to report, models loaded before (aim: 10)")
    print(f"  {most_mb:6.0f} MB  at most (aim: 2,000)")


def analyse(study: Path, *, findings: int) -> tuple[dict[str, float], float]:
    """Seconds of each stage and of the whole, and the most memory in MB, with so many findings."""
    config = load_config()
    detection = config.detection.model_copy(update={"max_findings": findings})
    config = config.model_copy(update={"detection": detection})
    provenance = read_provenance(config).model_copy(update={"score_threshold": 0.0})
    run = prepare(WorkOrder(study, config, provenance, prepare))
    (series,) = discover([study]).series
    started = time.perf_counter()
    analysis = run(series)
    whole = time.perf_counter() - started
    assert len(analysis.report.findings) == findings
    return {**analysis.report.times.seconds, WHOLE: whole}, peak_memory_mb()


def _in_own_process(study: Path, findings: int) -> tuple[dict[str, float], float]:
    command = [sys.executable, "-m", "benchmarks.diagnosis", str(study), str(findings)]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, megabytes = json.loads(told.stdout)
    return seconds, megabytes


if __name__ == "__main__":
    main()
