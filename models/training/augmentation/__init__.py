"""Changes to training samples: degradation, rotation, pasted nodules."""
