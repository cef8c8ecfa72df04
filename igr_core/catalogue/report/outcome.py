"""The result for one garment, which is one line of the report."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ...errors import IGRError

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
    """Number of photos that it was restored from, or of all its photos; 0 for a row that is not valid."""
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
    """Warnings about the photos and the result, in sentences."""
    note: str = ""
    """One sentence on what was not visible."""
    seconds: float | None = None
    """Time for the garment's masks and restoration, including its share of its batch; None if it was not restored."""
    model: str = ""
    """Start of the SHA-256 of the bundle."""
    settings: str = ""
    """Settings of the run, as JSON."""
    inputs: str = ""
    """Item.inputs of the garment's rows, to detect that a row has changed."""

    def to_json(self) -> bytes:
        """The outcome as JSON."""
        return json.dumps(dataclasses.asdict(self), allow_nan=False).encode()

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str) -> Outcome:
        """The outcome from a line of a report or record, which may lack columns that were added later.

        Raises IGRError naming `where` if it is not an outcome.
        """
        needed = {field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING}
        if not needed <= set(values) <= set(COLUMNS) or values.get("status") not in get_args(Status):
            raise IGRError(f"{where} is not from a catalogue run: choose another output folder.")
        return cls(**values)


COLUMNS = tuple(field.name for field in dataclasses.fields(Outcome))
"""Columns of the report."""
