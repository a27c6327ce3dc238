"""What is measured on a segmented nodule: pure functions on HU and share of nodule."""
