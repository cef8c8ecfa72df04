"""Records of batches: workers write them after the images, and the run moves them into the report."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence

from ...errors import IGRError
from ...json_text import parse_json
from .outcome import Outcome


def record_name(names: Sequence[str]) -> str:
    """File name of the record of these garments; a batch that is repeated replaces its record."""
    return f"{hashlib.sha256(json.dumps(names).encode()).hexdigest()[:32]}.json"


def to_record(outcomes: Sequence[Outcome]) -> bytes:
    """Outcomes as the content of a record."""
    return json.dumps([dataclasses.asdict(one) for one in outcomes], allow_nan=False).encode()


def from_record(data: bytes, where: str) -> list[Outcome]:
    """The outcomes in a record; raises IGRError naming `where` if it is damaged, or is not a record."""
    try:
        found = parse_json(data, "its content", "remove it")
    except IGRError as error:
        reason = str(error).rpartition(":")[0]
        raise IGRError(f"{where} is damaged ({reason}): remove it; its garments will be restored again.") from error
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise IGRError(f"{where} is not from a catalogue run: choose another output folder.")
    return [Outcome.from_dict(one, where) for one in found]
