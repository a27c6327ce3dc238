"""The training loop of every task: configuration, state, checkpoints, publishing."""
