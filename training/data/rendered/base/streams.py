"""Tags of the streams of random numbers: each key of `numpy.random.default_rng` ends with a unique tag.

NumPy pads short keys with zeros, so [seed], [seed, 0] and [seed, 0, 0] give the same stream. Keys that end with
different nonzero tags always give different streams, whatever their lengths.
"""

CATEGORY = 101
"""Category of the garment, by seed."""
PLAN = 102
"""Number of photos, and the defect if any, by seed."""
OUTFIT = 103
"""Clothes and product shot, by seed and attempt."""
PHOTO = 104
"""Person, set and camera, by seed, attempt at the garment, photo, and attempt at the photo."""
CLOTH = 105
"""The garment's cloth, by seed and dress seed."""
CLOTHES = 106
"""Everything else that is painted in a photo, by seed, dress seed and photo."""
LENS = 107
"""Camera effects, by seed, dress seed and view."""
