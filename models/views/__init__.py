"""Input views: cubes around a candidate, which networks take instead of the whole volume."""
