"""What every training shares: configuration, material, loop, checkpoints, publishing."""
