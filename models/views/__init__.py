"""The views of a place that the networks take as input."""
