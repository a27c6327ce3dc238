"""The parts of every training: configuration, material, loop, checkpoints, calibration."""
