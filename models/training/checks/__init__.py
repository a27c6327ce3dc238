"""Checks of training data and of trained detectors."""
