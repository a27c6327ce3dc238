"""Manifests and weights: where models are kept, published, imported and exported."""
