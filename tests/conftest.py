"""Settings of the whole suite."""

from hypothesis import settings

# Tests check behaviour, not timing, and fail for the same input every time.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")
