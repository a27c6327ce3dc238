"""Detector, reducer, segmenter, rater and classifier, and the runtimes that execute them."""
