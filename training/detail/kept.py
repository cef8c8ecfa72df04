"""Store scores of details, and what they were measured on, as JSON from which the docs' tables are made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from igr_core.errors import IGRError
from igr_core.files import make_folder
from igr_core.json_text import parse_json
from igr_core.model.bundle import Bundle
from igr_core.model.config import from_json, to_json

from ..base.files import write_text
from ..base.provenance import bundle_weights_sha256, revision
from .cost import Cost
from .lettering import LetteringScores, lettering_table
from .measuring import DetailScores, detail_table
from .runs import RunSettings

Scores = TypeVar("Scores", DetailScores, LetteringScores, Cost)


@dataclass(frozen=True)
class Measured:
    """What was measured, and how."""

    bundle: str
    """Name of the bundle."""
    weights_sha256: str
    """Hash of its weights."""
    data: str
    """Name of the data."""
    steps: int
    """Denoising steps."""
    guidance: float
    """Guidance scale (Eq. 2)."""
    revision: str
    """Commit of the code."""

    @classmethod
    def of(cls, bundle: Path, data: str, settings: RunSettings) -> Measured:
        """Description of a measurement made with this checkout."""
        opened, sampling = Bundle.open(bundle), settings.sampling
        digest = bundle_weights_sha256(opened)
        return cls(opened.info.name, digest, data, sampling.steps, sampling.guidance, revision())

    @property
    def caption(self) -> str:
        """One sentence to show below a table."""
        return (
            f"{self.bundle} (weights sha256 `{self.weights_sha256[:12]}`) on {self.data}; {self.steps} steps, guidance "
            f"{self.guidance:g}; measured at `{self.revision[:12]}`."
        )


@dataclass(frozen=True)
class Kept(Generic[Scores]):
    """Scores with what they were measured on."""

    measured: Measured
    """What was measured."""
    scores: Scores
    """The scores."""


def table_of(kept: Kept[Scores]) -> str:
    """The scores as Markdown, followed by what was measured."""
    scores = kept.scores
    if isinstance(scores, DetailScores):
        table = detail_table(scores)
    elif isinstance(scores, LetteringScores):
        table = lettering_table(scores)
    else:
        table = scores.table
    return f"{table}\n\n{kept.measured.caption}\n"


def write_kept(path: Path, kept: Kept[Scores]) -> None:
    """Write scores as JSON, atomically."""
    make_folder(path.parent)
    write_text(path, json.dumps({"measured": to_json(kept.measured), "scores": to_json(kept.scores)}, indent=1) + "\n")


def read_kept(path: Path, kind: type[Scores]) -> Kept[Scores]:
    """Read scores of a kind; raises IGRError if the file does not contain them."""
    try:
        data = parse_json(path.read_bytes(), "the file", "create it again")
        measured, scores = data["measured"], data["scores"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IGRError(f"{path} contains no scores: create it with `python -m training detail ... --out`.") from error
    return Kept(from_json(Measured, measured, str(path)), from_json(kind, scores, str(path)))
