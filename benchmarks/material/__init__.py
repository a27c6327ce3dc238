"""Inputs that several benchmarks share with one another or with the tests."""
