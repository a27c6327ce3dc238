"""Inputs from public bug reports, each built and judged: ``python -m benchmarks.cases FOLDER``."""
