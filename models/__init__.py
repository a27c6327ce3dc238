"""`WorkingVolume` to findings: networks, weights, the detector and the classifier."""
