"""Training of the networks: a folder for each task, and the engine that all of them share."""
