"""Settings of a catalogue run, and the folders of its output."""

from __future__ import annotations

import dataclasses
import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..device import Precision
from ..files import sha256
from ..included import INCLUDED_FLATTENER, INCLUDED_OUTLINES
from ..restore.jobs import Settings
from ..storage import Folder

GARMENTS, ASIDE, EVIDENCE, THUMBNAILS = "garments", "set-aside", "evidence", "thumbnails"
"""Names of the folders with images."""
IMAGES = (GARMENTS, ASIDE, EVIDENCE, THUMBNAILS)
"""All folders with images."""
RECORDS, BEGUN = ".records", ".begun"
"""Folders with results that are not in the report yet, and with notes on work in progress."""


@dataclass(frozen=True)
class CatalogueSettings:
    """Settings shared by all garments of a run."""

    restore: Settings
    """Settings shared with the `restore` command: size, view, sampling and more."""
    bundle: str
    """Path of the bundle."""
    model: str
    """Start of the bundle's SHA-256, from model_hash."""
    parser: str | None = None
    """Folder of the human parser that finds garments by their category; None if it is not needed."""
    segmenter: str | None = None
    """Path of SAM 2, which finds garments in boxes and refines the parser's masks; None to use masks as they are."""
    finds_masks: bool = False
    """Whether some photos have no mask; the segmenter, if given, is then loaded before the run."""
    parses: bool = False
    """Whether some photos have neither a mask nor a box; the parser is then loaded before the run."""
    image_type: Literal["png", "webp"] = "png"
    """Type of the images of garments."""
    evidence: bool = True
    """Whether to measure how much of each garment was visible, and to write an evidence map."""
    batch: int = 8
    """Number of garments that are restored together."""
    precision: Precision = "auto"
    """Data type of the bundle's networks, which only affects rounding."""

    @functools.cached_property
    def in_words(self) -> str:
        """The settings that determine the images, as JSON."""
        own = dataclasses.asdict(self.restore)
        if own["start"] == "noise":
            del own["start"]  # so that reports written before this entry existed still match
        else:
            own["start"] = f"flat ({model_hash(INCLUDED_FLATTENER)}, outlines {model_hash(INCLUDED_OUTLINES)})"
        own |= {"image_type": self.image_type, "evidence": self.evidence}
        for name, path in (("parser", self.parser), ("segmenter", self.segmenter)):
            own[name] = None if path is None else Path(path).name  # a model's folder does not affect the images
        return json.dumps(own, sort_keys=True)


def model_hash(bundle: str | Path) -> str:
    """Start of the SHA-256 of a bundle."""
    return sha256(bundle)[:16]


@dataclass(frozen=True)
class Output:
    """The output folder of a run."""

    url: str
    """Path or URL of the folder."""

    def folder(self, name: str) -> Folder:
        """A folder inside the output folder."""
        return Folder(self.url).below(name)

    @property
    def root(self) -> Folder:
        """The output folder itself."""
        return Folder(self.url)
