"""Thousands of damaged inputs: what each does to the readers, and what nobody is told.

``python -m benchmarks.mutations --count 100000 --seed 0`` changes whole inputs at random, by their
bytes and by their fields, reads each in a worker process, and compares it with the unchanged one.
"""
