"""Training of the segmenter."""
