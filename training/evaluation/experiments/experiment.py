"""An experiment: which bundles and folders are compared on which data, read from YAML."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Literal

from igr_core.demo import DEMO_BUNDLE
from igr_core.errors import IGRError

from ...data.opening import DataSetConfig
from ..metrics.protocols import protocol_named
from ..metrics.registry import SCORED, check_metrics
from ..pictures.controls import CONTROLS
from ..tables.table import COMPARED

OWN_FOLDERS = ("persons", "truth", "silhouettes", "references", "rows", "features", "report")
"""What an experiment's folder holds, so that no set has such a name."""
SEED = "{seed}"
"""What a training seed takes the place of in a bundle's path."""


@dataclass(frozen=True)
class RowConfig:
    """A bundle, or a folder of pictures that another method made."""

    name: str
    """What tables call it."""
    bundle: str = ""
    """Bundle to restore with; `demo` is the shipped one. `{seed}` in its path stands for each of `seeds`."""
    seeds: tuple[int, ...] = ()
    """Training seeds of the bundles that are this row; a table shows their mean."""
    pictures: str = ""
    """In place of a bundle: folder of garments, one for each pair, called as its photo or as the pair (`/` in a name is
    `_`); others in it are left out."""
    guidance: tuple[float, ...] = (1.5,)
    """Guidance scales (Eq. 2), a row of the table each."""
    steps: tuple[int, ...] = ()
    """Steps of the sampler, a row of the table each; the experiment's where none are given."""
    sampler: tuple[Literal["ddim"], ...] = ("ddim",)
    """Samplers, a row of the table each; the paper's DDIM is the only one of headless restoration."""
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
        if not self.guidance or not self.sampler:
            raise IGRError(f"Row {self.name!r} has no guidance or no sampler: give a list such as [1.5].")
        if bool(self.seeds) != (SEED in self.bundle) or len(set(self.seeds)) < len(self.seeds):
            raise IGRError(
                f"Row {self.name!r} has the seeds {list(self.seeds)} and the bundle {self.bundle!r}: a path with "
                f"{SEED} needs its training seeds, each once, and any other path none."
            )
        if any(steps < 1 for steps in self.steps):
            raise IGRError(f"Row {self.name!r} has the steps {list(self.steps)}: give 1 or more.")


@dataclass(frozen=True)
class ExperimentConfig:
    """What is compared, on what, and how it is scored."""

    title: str
    """Heading of the report."""
    rows: tuple[RowConfig, ...]
    """What is compared, in the order of tables."""
    data: DataSetConfig | None = None
    """Pairs to restore; a data set without garments (StreetTryOn) is scored unpaired, against `references`."""
    sets: dict[str, DataSetConfig] = field(default_factory=dict)
    """In place of `data`, several held-out sets by name, each with tables and a report of its own."""
    references: DataSetConfig | None = None
    """Data set whose garments the sets are compared with, where `data` has none (the paper: VITON-HD's)."""
    protocol: str = "igr"
    """Name of a protocol."""
    metrics: tuple[str, ...] = SCORED
    """Names of metrics."""
    encoder: str = ""
    """Bundle whose image encoder the encoder_ metrics look through; `demo` is the shipped one."""
    controls: tuple[Literal["white", "rotated", "blurred", "pasted", "nearest"], ...] = CONTROLS
    """What no model made; those that need the truth are left out where there is none."""
    nearest: DataSetConfig | None = None
    """Training pairs that the control `nearest` answers with."""
    steps: int = 25
    """Steps of the sampler, for rows that name none."""
    seed: int = 0
    """Noise seed of the first pair; pair i has seed + i, whatever the row."""
    batch: int = 8
    """Pairs that are restored together."""
    table: Literal["table1", "table2", "table3", ""] = ""
    """Table of the paper that these rows are shown beside; `""` for a plain one."""
    baseline: str = ""
    """Row that the others are compared with, pair by pair, in a plain table."""
    compared: tuple[str, ...] = COMPARED
    """Metrics whose difference to the baseline is shown."""
    labels: bool = True
    """Keep what the data set tells of each pair, to look at scores by."""

    def __post_init__(self) -> None:
        protocol_named(self.protocol)
        check_metrics((*self.metrics, *self.compared))
        if (self.data is None) != bool(self.sets):
            raise IGRError(f"{self.title!r} needs data, or sets by name, and not both.")
        for name in self.sets:
            if slug(name) != name or name in OWN_FOLDERS:
                raise IGRError(f"The held-out set {name!r} cannot be a folder: give it another name, such as drawn.")
        if not self.rows:
            raise IGRError(f"{self.title!r} has no rows: name a bundle or a folder of pictures.")
        if len({row.seeds for row in self.rows if row.seeds}) > 1:
            raise IGRError(f"Rows of {self.title!r} have unequal training seeds: give all the same, or none.")
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
        labels = {line.label for line in lines(self)}
        if self.baseline and self.baseline not in labels:
            rows = ", ".join(sorted(labels))
            raise IGRError(f"The baseline {self.baseline!r} of {self.title!r} is no row: choose {rows}.")
        if self.baseline and self.table:
            raise IGRError(f"{self.title!r} has a baseline and the paper's {self.table}: leave one of them out.")
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
    """One result of an experiment: a bundle under one setting, or a folder from elsewhere."""

    row: RowConfig
    """What it is."""
    guidance: float | None
    """Guidance scale; None for a folder."""
    steps: int | None
    """Steps of the sampler; None for a folder."""
    sampler: str | None
    """Sampler; None for a folder."""
    seed: int | None
    """Training seed of the bundle; None where it has no part in its path."""

    @property
    def label(self) -> str:
        """What its row is called: its name and whatever it has several of, but for the training seed."""
        words = [self.row.name]
        if len(self.row.steps) > 1:
            words.append(f"{self.steps} steps")
        if len(self.row.guidance) > 1 and self.guidance is not None:
            words.append(f"guidance {self.guidance:g}")
        if len(self.row.sampler) > 1:
            words.append(str(self.sampler))
        return ", ".join(words)

    @property
    def name(self) -> str:
        """What tells it from all others."""
        return self.label if self.seed is None else f"{self.label}, seed {self.seed}"

    @property
    def slug(self) -> str:
        """Name of its folder."""
        return slug(self.name)

    @property
    def bundle_path(self) -> Path:
        """Where its bundle lies."""
        if self.row.bundle == "demo":
            return DEMO_BUNDLE
        return Path(self.row.bundle if self.seed is None else self.row.bundle.replace(SEED, str(self.seed)))


def slug(name: str) -> str:
    """A row's name as a folder's."""
    return "".join(letter if letter.isalnum() or letter in "-.+" else "_" for letter in name)


def lines(config: ExperimentConfig) -> list[Line]:
    """The experiment's results but for the controls."""
    found = []
    for row in config.rows:
        if not row.bundle:
            found.append(Line(row, None, None, None, None))
            continue
        settings = product(row.steps or (config.steps,), row.guidance, row.sampler, row.seeds or (None,))
        found += [Line(row, guidance, steps, sampler, seed) for steps, guidance, sampler, seed in settings]
    return found


def of_each_set(config: ExperimentConfig) -> dict[str, ExperimentConfig]:
    """The experiment on each of its held-out sets, by the set's name; by `""` where it has one."""
    if not config.sets:
        return {"": config}
    return {
        name: replace(config, title=f"{config.title}: {name}", data=data, sets={}) for name, data in config.sets.items()
    }
