"""Changes to training samples: degradation, rotation, added nodules.

These work on numpy cubes in HU with the project's own code, because nodules are pasted and painted
between the steps, sizes and centres must follow every rotation, and each sample is to depend on
one `numpy.random.Generator` alone. The RetinaNet (`retinanet.samples`) uses MONAI's dictionary
transforms instead: it repeats a published training, which was defined by them.
"""
