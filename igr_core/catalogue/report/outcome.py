"""The result for one garment, which is one line of the report."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

from ...errors import IGRError
from ...ranges import shown
from ..settings import IMAGES, THUMBNAILS

Status = Literal["restored", "set aside", "failed", "crashed"]
RESTORED: Status = "restored"
"""The garment was restored."""
SET_ASIDE: Status = "set aside"
"""The garment was restored, but too little of it was visible."""
FAILED: Status = "failed"
"""The garment could not be restored."""
CRASHED: Status = "crashed"
"""Two workers crashed on this garment."""
DONE = (RESTORED, SET_ASIDE)
"""Statuses of garments that are not restored again."""


@dataclass(frozen=True)
class Outcome:
    """The result for one garment."""

    name: str
    """Name of the garment's files, or `row N` for a row that is not valid."""
    status: Status
    """restored, set aside, failed or crashed."""
    photo: str
    """Path or URL of the garment's first photo."""
    photos: int = 1
    """Number of photos that the garment was restored from, or of all its photos if it was not; 0 for an invalid row."""
    category: str = ""
    """upper, lower or full; empty if it was not found."""
    image: str = ""
    """Path of the image in the output folder; empty if there is none."""
    evidence_map: str = ""
    """Path of the evidence map in the output folder; empty if there is none."""
    evidence: float | None = None
    """Fraction of the garment that was visible in its photos; None if it was not measured."""
    agreement: float | None = None
    """Agreement of the garment with its photos, 0..1; None if it was not measured."""
    error: str = ""
    """One sentence on why the garment could not be restored."""
    warnings: str = ""
    """Warnings about the photos and the result, as full sentences."""
    note: str = ""
    """One sentence on what was not visible."""
    seconds: float | None = None
    """Time for the garment's masks and restoration, including its share of its batch; None if it was not restored."""
    model: str = ""
    """Start of the SHA-256 of the bundle."""
    settings: str = ""
    """Settings of the run, as JSON."""
    inputs: str = ""
    """Item.inputs of the garment's rows, which reveals that a row has changed."""

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the garment's image, thumbnail and evidence map in the output folder, if it was restored."""
        if not self.image:
            return ()
        return tuple(filter(None, (self.image, self.thumbnail, self.evidence_map)))

    @property
    def thumbnail(self) -> str:
        """Path of the thumbnail in the output folder."""
        return f"{THUMBNAILS}/{self.name}.webp"

    def to_json(self) -> bytes:
        """The outcome as JSON."""
        return json.dumps(dataclasses.asdict(self), allow_nan=False).encode()

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str) -> Outcome:
        """The outcome from a line of a report or record, which may lack columns that were added later.

        Raises IGRError naming `where` if the line is not an outcome or is damaged.
        """
        needed = {field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING}
        if not needed <= set(values) <= set(COLUMNS) or values.get("status") not in get_args(Status):
            raise IGRError(f"{where} is not from a catalogue run: choose another output folder.")
        for name, value in values.items():
            if not _is_valid(name, value):
                raise IGRError(
                    f"{where} is damaged (the {name} of {shown(values['name'])} is {shown(value)}): choose another "
                    "output folder."
                )
        return cls(**values)


COLUMNS = tuple(field.name for field in dataclasses.fields(Outcome))
"""Columns of the report."""
MEASURED = ("evidence", "agreement", "seconds")
"""Columns with numbers that may be missing."""


def _is_valid(column: str, value: Any) -> bool:
    """Whether a value is valid in a column of the report."""
    if column == "photos":
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    if column in MEASURED:
        return value is None or (isinstance(value, float) and math.isfinite(value))
    if not isinstance(value, str):
        return False
    if column in ("image", "evidence_map"):  # these files are removed if their garment changes
        folder, _, name = value.partition("/")
        return not value or (folder in IMAGES and name not in ("", "..") and not set(name) & set("/\\"))
    return column != "settings" or not value or _is_object(value)


@cache
def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
