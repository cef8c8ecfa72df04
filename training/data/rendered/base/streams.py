"""Tags of the streams of random numbers: each key of `numpy.random.default_rng` ends with one of its own.

numpy pads short keys with zeros, so that [seed], [seed, 0] and [seed, 0, 0] are one stream. Keys that end with
different tags, none of them 0, are never the same, whatever their lengths.
"""

CATEGORY = 101
"""Of the garment's category, by seed."""
PLAN = 102
"""Of the number of photos and the defect, by seed."""
OUTFIT = 103
"""Of the clothes and the product shot, by seed and attempt."""
PHOTO = 104
"""Of a person, a set and a camera, by seed, garment's attempt, photo and its own attempt."""
CLOTH = 105
"""Of the garment's cloth, by seed and dress seed."""
CLOTHES = 106
"""Of everything else that is painted in a photo, by seed, dress seed and photo."""
LENS = 107
"""Of the camera's effects, by seed, dress seed and view."""
