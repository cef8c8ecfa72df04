"""An experiment's YAML file: the bundles and folders to compare, and the data."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Literal

from igr_core.errors import IGRError
from igr_core.included import INCLUDED_BUNDLE, INCLUDED_NAME
from igr_core.model.pruning_config import NEAR, Margin, Pruning
from igr_core.ranges import Guidance, Range, Ranged, Seed, Share, Steps, Strength
from igr_core.sampling.presets import Sampler, Sampling

from ...base.train_config import Few
from ...data.opening import DataSetConfig
from ..images.controls import CONTROLS
from ..metrics.protocols import protocol_named
from ..metrics.registry import SCORED, check_metrics
from ..tables.settings_table import SETTINGS
from ..tables.table import COMPARED

OWN_FOLDERS = ("persons", "truth", "silhouettes", "references", "rows", "features", "report")
"""Folder names that an experiment uses itself, so no held-out set may have them."""
SEED = "{seed}"
"""Placeholder for the training seed in a bundle's path."""


@dataclass(frozen=True)
class RowConfig(Ranged):
    """A bundle, or a folder of another method's images."""

    name: str
    """Name in tables."""
    bundle: str = ""
    """Bundle to restore with; `igr-small` is the included bundle. `{seed}` in its path is replaced by each of
    `seeds`."""
    seeds: tuple[Seed, ...] = ()
    """Training seeds of the row's bundles; tables show their mean."""
    pictures: str = ""
    """Instead of a bundle, a folder with a garment for each pair, under the name of its photo or pair (with `_` for
    `/`); other files are skipped."""
    guidance: tuple[Guidance, ...] = (1.5,)
    """Guidance scales (Eq. 2), each with its own row in the table."""
    steps: tuple[Steps, ...] = ()
    """Numbers of sampling steps, each with its own row in the table; defaults to the experiment's own setting."""
    guidance_interval: tuple[tuple[Share, Share], ...] = ((0.0, 1.0),)
    """Start and end of guidance as fractions of the denoising process; each interval has its own row in the table."""
    sampler: tuple[Sampler, ...] = ("ddim",)
    """Samplers, each with its own row in the table; the paper uses DDIM."""
    reference_strength: Strength = 1.0
    """Strength of the reference self-attention; 0 disables GarmNet."""
    image_prompt_strength: Strength = 1.0
    """Strength of the image prompt; 0 disables it."""
    reference_margin: tuple[Margin | None, ...] = (NEAR.margin,)
    """Margins in cells around the mask within which reference tokens are kept, each with its own row in the table; null
    keeps every token."""
    photos: Annotated[int, Range(1, 8)] = 1
    """Number of photos to restore each garment from, starting with the pair's own, then in the order of the data set.
    Pairs with fewer photos use all of them."""
    details: bool = False
    """Move the photo's own pixels onto the restored garment, as Transfer Details does, at the working size."""
    start: Literal["noise", "flat"] = "noise"
    """Start from noise, as in the paper, or from the photo's own pixels, laid out flat by the included flattener."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Data type of the bundle's networks; the flattener always runs in fp32."""
    paper: str = ""
    """Row of the paper's tables to show next to this one: `Ours`, `w/o GarmNet`, `CFLD`, ..."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.bundle) == bool(self.pictures):
            raise IGRError(f"Row {self.name!r} needs either a bundle or a folder of images: specify exactly one.")
        if not any(letter.isalnum() for letter in self.name):
            raise IGRError(f"Row {self.name!r} has an unusable name: include letters or digits.")
        if self.pictures and self.one_by_one:
            raise IGRError(f"Row {self.name!r} is a folder of images: photos, details and start need a bundle.")
        if self.one_by_one and (self.reference_strength, self.image_prompt_strength) != (1.0, 1.0):
            raise IGRError(
                f"Row {self.name!r} sets photos, details or start, which require full strengths: set "
                "reference_strength and image_prompt_strength to 1."
            )
        if self.start == "flat" and self.details:
            raise IGRError(f"Row {self.name!r} starts from the photo's pixels: set details or start, not both.")
        if not all((self.guidance, self.guidance_interval, self.sampler, self.reference_margin)):
            raise IGRError(f"Row {self.name!r} has an empty list of settings: use a list such as [1.5].")
        for start, end in self.guidance_interval:
            Sampling(guidance_start=start, guidance_end=end)
        if bool(self.seeds) != (SEED in self.bundle) or len(set(self.seeds)) < len(self.seeds):
            raise IGRError(
                f"Row {self.name!r} has the seeds {list(self.seeds)} and the bundle {self.bundle!r}: a path with "
                f"{SEED} needs unique training seeds, and any other path needs none."
            )

    @property
    def one_by_one(self) -> bool:
        """Whether its garments are restored one at a time, as `python -m igr_core restore` does."""
        return self.photos > 1 or self.details or self.start == "flat"


@dataclass(frozen=True)
class ExperimentConfig(Ranged):
    """Rows, data and scoring of an experiment."""

    title: str
    """Heading of the report."""
    rows: tuple[RowConfig, ...]
    """Rows in the order of tables."""
    data: DataSetConfig | None = None
    """Pairs to restore; a data set without garments (StreetTryOn) is compared unpaired with `references`."""
    sets: dict[str, DataSetConfig] = field(default_factory=dict)
    """Several held-out sets by name instead of `data`, each with its own tables and report."""
    references: DataSetConfig | None = None
    """Data set with the garments to compare with if `data` has none (in the paper: VITON-HD)."""
    protocol: str = "igr"
    """Name of a protocol."""
    metrics: tuple[str, ...] = SCORED
    """Names of metrics."""
    encoder: str = ""
    """Bundle whose image encoder the encoder_ metrics use; `igr-small` is the included bundle."""
    controls: tuple[Literal["white", "rotated", "blurred", "pasted", "nearest"], ...] = CONTROLS
    """Controls: images that are not generated by a model. Without ground-truth garments, the controls that need them
    are skipped."""
    nearest: DataSetConfig | None = None
    """Training pairs for the control `nearest`."""
    nearest_of: dict[str, DataSetConfig] = field(default_factory=dict)
    """Training pairs for each of `sets`, instead of `nearest`."""
    steps: Steps = 25
    """Steps of the sampler for rows without their own."""
    seed: Seed = 0
    """Noise seed of the first pair; pair i has seed + i in every row."""
    batch: Few = 8
    """Number of pairs restored together."""
    table: Literal["table1", "table2", "table3", "settings", ""] = ""
    """Table of the paper to show next to these rows; `settings` for a table over sampling settings, which needs a
    baseline; `""` for a plain table."""
    baseline: str = ""
    """Row that the others are compared with, pair by pair, in a plain table."""
    compared: tuple[str, ...] = COMPARED
    """Metrics whose difference from the baseline is shown."""
    labels: bool = True
    """Store each pair's attributes, so that scores can be grouped by attribute."""

    def __post_init__(self) -> None:
        super().__post_init__()
        protocol_named(self.protocol)
        check_metrics((*self.metrics, *self.compared))
        if (self.data is None) != bool(self.sets):
            raise IGRError(f"{self.title!r} needs either data or sets: specify exactly one.")
        for name in self.sets:
            if slug(name) != name or name in OWN_FOLDERS:
                raise IGRError(f"The held-out set {name!r} has a name that cannot be used for a folder: rename it.")
        if not self.rows:
            raise IGRError(f"{self.title!r} has no rows: add a bundle or a folder of images.")
        if len({row.seeds for row in self.rows if row.seeds}) > 1:
            raise IGRError(
                f"Rows of {self.title!r} have different training seeds: use the same seeds for all of them, or none."
            )
        names = [row.name for row in self.rows]
        if len(set(names)) < len(names):
            raise IGRError(f"Two rows of {self.title!r} have the same name: {', '.join(names)}. Rename one of them.")
        places = defaultdict(list)
        for line in lines(self):
            places[line.slug.casefold()].append(repr(line.name))
        for place, named in places.items():
            if len(named) > 1:
                raise IGRError(f"Rows {' and '.join(named)} would share the folder rows/{place}: rename one of them.")
            if place in CONTROLS:
                raise IGRError(f"Row {named[0]} has the name of a control: rename it.")
        labels = {line.label for line in lines(self)}
        if self.baseline and self.baseline not in labels:
            rows = ", ".join(sorted(labels))
            raise IGRError(f"The baseline {self.baseline!r} of {self.title!r} is not a row: choose {rows}.")
        if self.table == SETTINGS and not self.baseline:
            raise IGRError(f"{self.title!r} has a table of settings: set baseline to the row to compare with.")
        if self.baseline and self.table not in ("", SETTINGS):
            raise IGRError(f"{self.title!r} has a baseline and the paper's {self.table}: remove one of them.")
        if self.nearest_of and (self.nearest is not None or set(self.nearest_of) != set(self.sets)):
            raise IGRError(
                f"nearest_of of {self.title!r} must name every set: {', '.join(self.sets)}, without nearest."
            )
        if "nearest" in self.controls and self.nearest is None and not self.nearest_of:
            raise IGRError("The control `nearest` needs training pairs: set nearest, or nearest_of for every set.")

    @property
    def encoder_path(self) -> Path | None:
        """Path of the encoder's bundle."""
        if not self.encoder:
            return None
        return INCLUDED_BUNDLE if self.encoder == INCLUDED_NAME else Path(self.encoder)


@dataclass(frozen=True)
class Line:
    """One result of an experiment: a bundle with one setting, or an external folder."""

    row: RowConfig
    """Row to which the result belongs."""
    sampling: Sampling | None
    """Steps, guidance and sampler; None for a folder."""
    seed: int | None
    """Training seed of the bundle; None if its path has no placeholder."""
    pruning: Pruning = NEAR
    """Which reference tokens are kept."""

    @property
    def label(self) -> str:
        """Label of the table row: the name and every setting with several values, except for the training seed."""
        words, sampling = [self.row.name], self.sampling
        if sampling is not None:
            if len(self.row.steps) > 1:
                words.append(f"{sampling.steps} steps")
            if len(self.row.guidance) > 1:
                words.append(f"guidance {sampling.guidance:g}")
            if len(self.row.guidance_interval) > 1:
                words.append(f"from {sampling.guidance_start:g} to {sampling.guidance_end:g}")
            if len(self.row.sampler) > 1:
                words.append(sampling.sampler)
            if len(self.row.reference_margin) > 1:
                margin = self.pruning.margin
                words.append("all tokens" if margin is None else f"margin {margin}")
        return ", ".join(words)

    @property
    def name(self) -> str:
        """Unique name of the result."""
        return self.label if self.seed is None else f"{self.label}, seed {self.seed}"

    @property
    def slug(self) -> str:
        """Name of the result's folder."""
        return slug(self.name)

    @property
    def bundle_path(self) -> Path:
        """Path of the result's bundle."""
        if self.row.bundle == INCLUDED_NAME:
            return INCLUDED_BUNDLE
        return Path(self.row.bundle if self.seed is None else self.row.bundle.replace(SEED, str(self.seed)))


def slug(name: str) -> str:
    """Convert a row's name to a folder name."""
    return "".join(letter if letter.isalnum() or letter in "-.+" else "_" for letter in name)


def lines(config: ExperimentConfig) -> list[Line]:
    """The experiment's results, except for the controls."""
    found = []
    for row in config.rows:
        if not row.bundle:
            found.append(Line(row, None, None))
            continue
        settings = product(row.steps or (config.steps,), row.guidance, row.guidance_interval, row.sampler)
        samplings = [Sampling(steps, guidance, *interval, sampler) for steps, guidance, interval, sampler in settings]
        found += [
            Line(row, sampling, seed, Pruning(margin))
            for sampling, margin, seed in product(samplings, row.reference_margin, row.seeds or (None,))
        ]
    return found


def of_each_set(config: ExperimentConfig) -> dict[str, ExperimentConfig]:
    """The experiment for each of its held-out sets, by the set's name; the name is `""` for a single set."""
    if not config.sets:
        return {"": config}
    return {
        name: replace(
            config,
            title=f"{config.title}: {name}",
            data=data,
            sets={},
            nearest=config.nearest_of.get(name, config.nearest),
            nearest_of={},
        )
        for name, data in config.sets.items()
    }
