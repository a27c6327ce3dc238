"""Where studies come from: the phantom, and data sets of others."""
