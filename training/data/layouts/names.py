"""Names of the layouts, in a separate module so that commands can list them quickly."""

from typing import Literal

LayoutOnDisk = Literal["viton_hd", "dresscode", "streettryon", "folder", "tars", "rendered"]
Layout = Literal[LayoutOnDisk, "synthetic"]
LAYOUTS = {
    "viton_hd": "VITON-HD (train/ or test/ with image/ and cloth/)",
    "dresscode": "DressCode (upper_body/, lower_body/ or dresses/ with images/)",
    "streettryon": "StreetTryOn (train/ or validation/ with image/ and segm_atr_labels/)",
    "folder": "a plain folder (person/, garment/, mask/, category.csv)",
    "tars": "WebDataset shards (*.tar)",
    "rendered": "rendered records (records-*.tar)",
}
"""Layouts on disk, with the files that identify them."""
