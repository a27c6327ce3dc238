"""Training of the classifier."""
