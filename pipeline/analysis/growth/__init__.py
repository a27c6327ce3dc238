"""Growth: the findings of a study compared with an earlier study of the same patient."""
