"""An experiment: which bundles and folders are compared on which data, read from YAML."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from igr_core.demo import DEMO_BUNDLE
from igr_core.errors import IGRError
from training.data.opening import DataSetConfig

from ..metrics.protocols import protocol_named
from ..pictures.controls import CONTROLS
from .results import METRICS, check_metrics


@dataclass(frozen=True)
class RowConfig:
    """A bundle, or a folder of pictures that another method made."""

    name: str
    """What tables call it."""
    bundle: str = ""
    """Bundle to restore with; `demo` is the shipped one."""
    pictures: str = ""
    """In place of a bundle: folder of garments, one for each pair, called as its photo or as the pair (`/` in a name is
    `_`); others in it are left out."""
    guidance: tuple[float, ...] = (1.5,)
    """Guidance scales (Eq. 2), a row of the table each."""
    reference_strength: float = 1.0
    """Strength of the reference self-attention; 0 leaves GarmNet out."""
    image_prompt_strength: float = 1.0
    """Strength of the image prompt; 0 leaves it out."""
    paper: str = ""
    """The row of the paper's tables that it is to be looked at beside: `Ours`, `w/o GarmNet`, `CFLD`, ..."""

    def __post_init__(self) -> None:
        if bool(self.bundle) == bool(self.pictures):
            raise IGRError(f"Row {self.name!r} needs a bundle or a folder of pictures, and not both.")
        if not any(letter.isalnum() for letter in self.name):
            raise IGRError(f"Row {self.name!r} cannot be told by its name: give it letters or digits.")
        if not self.guidance:
            raise IGRError(f"Row {self.name!r} has no guidance: give a list such as [1.5].")

    @property
    def bundle_path(self) -> Path:
        """Where the bundle lies."""
        return DEMO_BUNDLE if self.bundle == "demo" else Path(self.bundle)


@dataclass(frozen=True)
class ExperimentConfig:
    """What is compared, on what, and how it is scored."""

    title: str
    """Heading of the report."""
    data: DataSetConfig
    """Pairs to restore; a data set without garments (StreetTryOn) is scored unpaired, against `references`."""
    rows: tuple[RowConfig, ...]
    """What is compared, in the order of tables."""
    references: DataSetConfig | None = None
    """Data set whose garments the sets are compared with, where `data` has none (the paper: VITON-HD's)."""
    protocol: str = "igr"
    """Name of a protocol."""
    metrics: tuple[str, ...] = tuple(METRICS)
    """Names of metrics."""
    encoder: str = ""
    """Bundle whose image encoder the encoder_ metrics look through; `demo` is the shipped one."""
    controls: tuple[Literal["white", "rotated", "blurred", "pasted", "nearest"], ...] = CONTROLS
    """What no model made; those that need the truth are left out where there is none."""
    nearest: DataSetConfig | None = None
    """Training pairs that the control `nearest` answers with."""
    steps: int = 25
    """DDIM steps."""
    seed: int = 0
    """Noise seed of the first pair; pair i has seed + i, whatever the row."""
    batch: int = 8
    """Pairs that are restored together."""
    table: Literal["table1", "table2", "table3", ""] = ""
    """Table of the paper that these rows are shown beside."""
    labels: bool = True
    """Keep what the data set tells of each pair, to look at scores by."""

    def __post_init__(self) -> None:
        protocol_named(self.protocol)
        check_metrics(self.metrics)
        if not self.rows:
            raise IGRError(f"{self.title!r} has no rows: name a bundle or a folder of pictures.")
        names = [row.name for row in self.rows]
        if len(set(names)) < len(names):
            raise IGRError(f"Two rows of {self.title!r} have one name: {', '.join(names)}.")
        places = defaultdict(list)
        for line in lines(self):
            places[line.slug.casefold()].append(repr(line.name))
        for place, named in places.items():
            if len(named) > 1:
                raise IGRError(f"Rows {' and '.join(named)} would lie in one folder, rows/{place}: rename one of them.")
            if place in CONTROLS:
                raise IGRError(f"Row {named[0]} has the name of a control: call it something else.")
        if "nearest" in self.controls and self.nearest is None:
            raise IGRError("The control `nearest` needs training pairs: name their data set under nearest.")
        if min(self.steps, self.batch) < 1:
            raise IGRError(f"steps is {self.steps} and batch {self.batch}: give 1 or more.")

    @property
    def encoder_path(self) -> Path | None:
        """Where the encoder's bundle lies."""
        if not self.encoder:
            return None
        return DEMO_BUNDLE if self.encoder == "demo" else Path(self.encoder)


@dataclass(frozen=True)
class Line:
    """One line of the table: a bundle at one guidance, or a folder from elsewhere."""

    row: RowConfig
    """What it is."""
    guidance: float | None
    """Guidance scale; None for a folder."""

    @property
    def name(self) -> str:
        """What tables call it."""
        several = len(self.row.guidance) > 1 and self.guidance is not None
        return f"{self.row.name}, guidance {self.guidance:g}" if several else self.row.name

    @property
    def slug(self) -> str:
        """Name of its folder."""
        return slug(self.name)


def slug(name: str) -> str:
    """A row's name as a folder's."""
    return "".join(letter if letter.isalnum() or letter in "-.+" else "_" for letter in name)


def lines(config: ExperimentConfig) -> list[Line]:
    """The table's lines but for the controls."""
    return [Line(row, guidance) for row in config.rows for guidance in (row.guidance if row.bundle else (None,))]
