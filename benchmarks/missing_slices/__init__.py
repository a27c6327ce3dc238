"""Effect of interpolated slices on nodules; see `__main__`."""
