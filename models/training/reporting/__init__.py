"""Progress, logs, curves and pictures of a training."""
