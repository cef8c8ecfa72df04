"""Tags of the streams of random numbers: each key of `numpy.random.default_rng` ends with a unique tag.

numpy pads short keys with zeros, so [seed], [seed, 0] and [seed, 0, 0] are the same stream. Keys that end with
different nonzero tags always differ, whatever their lengths.
"""

CATEGORY = 101
"""Category of the garment, by seed."""
PLAN = 102
"""Number of photos and defect, by seed."""
OUTFIT = 103
"""Clothes and product shot, by seed and attempt."""
PHOTO = 104
"""Person, set and camera, by seed, garment's attempt, photo and photo's attempt."""
CLOTH = 105
"""The garment's cloth, by seed and dress seed."""
CLOTHES = 106
"""Everything else that is painted in a photo, by seed, dress seed and photo."""
LENS = 107
"""Camera effects, by seed, dress seed and view."""
