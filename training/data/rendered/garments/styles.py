"""Fits, necks, sleeves and lengths of each kind of garment, with probabilities and sizes."""

from __future__ import annotations

SLEEVE_LENGTHS: dict[str, tuple[float, float]] = {
    "none": (0.0, 0.0), "cap": (0.15, 0.2), "short": (0.26, 0.42), "elbow": (0.46, 0.6), "long": (0.97, 1.05),
}  # fmt: skip
"""Lengths as fractions of the arm from shoulder joint to wrist."""

FIT_EASE: dict[str, tuple[float, float, float]] = {
    "tight": (0.003, 0.005, 0.05), "slim": (0.006, 0.007, 0.4), "regular": (0.013, 0.013, 0.8),
    "loose": (0.026, 0.022, 0.9), "oversized": (0.042, 0.034, 1.0),
}  # fmt: skip
"""Ease of torso and sleeves in metres, and `Cut.straight`, by fit."""

CLOSER_FOR_WOMEN = {"tight": 2.0, "slim": 2.5}
"""Factors on the probabilities of close fits in tops for women."""

VARIED = ("tee", "long_sleeve", "tank", "sweater", "hoodie", "blouse")
"""Tops that may also be cropped or long."""

FITS: dict[str, dict[str, float]] = {
    "tee": {"slim": 2, "regular": 5, "loose": 3, "oversized": 2},
    "long_sleeve": {"tight": 1, "slim": 3, "regular": 4, "oversized": 1},
    "shirt": {"slim": 2, "regular": 4, "loose": 2, "oversized": 1}, "polo": {"slim": 2, "regular": 4, "loose": 1},
    "blouse": {"slim": 1, "regular": 3, "loose": 3}, "hoodie": {"regular": 3, "loose": 3, "oversized": 3},
    "sweater": {"slim": 1.5, "regular": 4, "loose": 3, "oversized": 2}, "jacket": {"regular": 4, "loose": 2},
    "cardigan": {"slim": 1, "regular": 3, "loose": 2}, "tank": {"tight": 3, "slim": 3, "regular": 3, "loose": 1},
    "crop_top": {"tight": 4, "slim": 3, "regular": 2, "loose": 1},
    "sheath_dress": {"tight": 2, "slim": 4, "regular": 2}, "a_line_dress": {"slim": 4, "regular": 3},
    "maxi_dress": {"slim": 3, "regular": 3}, "shirt_dress": {"regular": 3, "loose": 2},
    "jumpsuit": {"slim": 2, "regular": 3},
}  # fmt: skip
"""Probabilities of the fits of each kind."""

NECKS: dict[str, dict[str, float]] = {
    "tee": {"round": 7, "v": 2.5, "scoop": 1, "boat": 0.5}, "long_sleeve": {"round": 5, "v": 2, "high": 2, "boat": 1},
    "shirt": {"collar": 1}, "polo": {"collar": 1}, "blouse": {"v": 4, "round": 2, "square": 1, "collar": 2, "boat": 1},
    "hoodie": {"hood": 1}, "sweater": {"round": 5, "v": 2, "high": 3}, "jacket": {"collar": 3, "stand": 3, "lapel": 2},
    "cardigan": {"v": 4, "round": 2}, "tank": {"round": 3, "scoop": 4, "v": 2, "square": 1, "straps": 2},
    "crop_top": {"round": 3, "square": 2, "scoop": 3, "v": 2, "straps": 2}, "shirt_dress": {"collar": 1},
    "sheath_dress": {"round": 3, "v": 2, "boat": 2, "square": 1, "high": 1, "straps": 1.5},
    "jumpsuit": {"v": 3, "round": 2, "square": 1},
    "a_line_dress": {"round": 3, "v": 3, "square": 1, "scoop": 2, "straps": 1},
    "maxi_dress": {"v": 3, "scoop": 2, "round": 2, "square": 1, "straps": 2},
}  # fmt: skip
"""Probabilities of the necks and collars of each kind."""

SLEEVES: dict[str, dict[str, float]] = {
    "tee": {"cap": 0.6, "short": 8, "elbow": 1}, "long_sleeve": {"long": 1}, "shirt": {"long": 3, "short": 1},
    "polo": {"short": 6, "long": 1}, "blouse": {"short": 2, "elbow": 1, "long": 4}, "hoodie": {"long": 1},
    "sweater": {"long": 1}, "jacket": {"long": 1}, "cardigan": {"long": 1}, "tank": {"none": 1},
    "crop_top": {"none": 4, "cap": 1, "short": 3, "long": 2},
    "sheath_dress": {"none": 4, "cap": 2, "short": 2, "long": 1},
    "a_line_dress": {"none": 4, "cap": 1, "short": 3, "elbow": 1}, "maxi_dress": {"none": 4, "short": 2, "long": 2},
    "shirt_dress": {"short": 2, "elbow": 1, "long": 2}, "jumpsuit": {"none": 3, "short": 2, "long": 2},
}  # fmt: skip
"""Probabilities of the sleeves of each kind."""

LENGTHS: dict[str, tuple[float, float]] = {
    "tee": (0.36, 0.66), "long_sleeve": (0.36, 0.66), "shirt": (0.42, 0.75), "polo": (0.42, 0.66),
    "blouse": (0.3, 0.66),
    "hoodie": (0.36, 0.6), "sweater": (0.3, 0.6), "jacket": (0.3, 0.7), "cardigan": (0.35, 1.0), "tank": (0.3, 0.64),
    "crop_top": (-0.35, 0.1), "sheath_dress": (1.5, 2.15), "a_line_dress": (1.45, 2.2), "maxi_dress": (2.5, 2.88),
    "shirt_dress": (1.5, 2.3), "jumpsuit": (2.55, 2.85), "trousers": (2.7, 2.95), "jeans": (2.75, 2.95),
    "shorts": (1.22, 1.85), "leggings": (2.6, 2.95), "a_line_skirt": (1.5, 2.45), "pencil_skirt": (1.65, 2.15),
    "pleated_skirt": (1.4, 2.3), "mini_skirt": (1.22, 1.48),
}  # fmt: skip
"""Range of the hem's level for each kind, in the levels of Cut."""

NECK_SIZES: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "round": ((0.075, 0.09), (0.06, 0.085)), "v": ((0.078, 0.092), (0.13, 0.19)),
    "boat": ((0.115, 0.135), (0.03, 0.045)),
    "scoop": ((0.09, 0.11), (0.11, 0.15)), "square": ((0.092, 0.112), (0.1, 0.135)),
    "high": ((0.075, 0.075), (0.05, 0.05)), "straps": ((0.072, 0.088), (0.015, 0.06)),
    "collar": ((0.064, 0.068), (0.052, 0.06)), "stand": ((0.066, 0.072), (0.055, 0.065)),
    "hood": ((0.078, 0.085), (0.07, 0.085)),
    "lapel": ((0.076, 0.08), (0.2, 0.26)),
}  # fmt: skip
"""Ranges of the half width and the depth of the neck hole, metres."""

NECKLINE_OF = {"collar": "round", "stand": "round", "hood": "round", "lapel": "v"}
"""Shape of the neck hole under collars."""

LEGS: dict[str, dict[str, tuple[tuple[float, float], tuple[float, float]]]] = {
    "trousers": {
        "slim": ((0.006, 0.01), (-0.004, 0.004)), "regular": ((0.014, 0.022), (0.0, 0.012)),
        "loose": ((0.03, 0.045), (0.01, 0.05)),
    },
    "jeans": {
        "slim": ((0.004, 0.008), (-0.003, 0.004)), "regular": ((0.012, 0.02), (0.0, 0.012)),
        "loose": ((0.024, 0.038), (0.005, 0.035)),
    },
    "shorts": {
        "slim": ((0.008, 0.014), (0.0, 0.01)), "regular": ((0.018, 0.03), (0.01, 0.03)),
        "loose": ((0.03, 0.045), (0.02, 0.05)),
    },
    "leggings": {"tight": ((0.0015, 0.0025), (0.0, 0.0))},
}  # fmt: skip
"""Ranges of the leg's ease at the knee, and of the additional ease at the ankle, metres, by kind and fit."""
