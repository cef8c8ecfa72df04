"""Running an experiment: pictures of every row, then scores; what is there stays, so that a stopped run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from tqdm import tqdm

from igr_core.bundle import Bundle
from igr_core.errors import IGRError
from igr_core.files import make_folder
from igr_core.images import save_image
from igr_core.restore import GarmentRestorer
from training.data.laid_out import fit_garment
from training.data.opening import open_data_set
from training.provenance import bundle_weights_sha256
from training.run import write_text

from .controls import NEED_TRUTH, TITLES, write_control
from .experiment import ExperimentConfig, RowConfig
from .folders import pictures_in
from .paper import paper_table
from .protocols import protocol_named
from .results import Result, read_results, write_results
from .scoring import Scoring, score_folders
from .subjects import Subjects, save_picture
from .weights import WeightsFolder

LONGEST_WAIT = timedelta(days=7)
"""So long one process waits for the others' pictures."""


@dataclass(frozen=True)
class Line:
    """One line of the table: a bundle at one guidance, or a folder from elsewhere."""

    row: RowConfig
    """What it is."""
    guidance: float | None
    """Guidance scale; None for a folder."""
    order: int
    """Its place in the table."""

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
    pairs = [(row, g) for row in config.rows for g in (row.guidance if row.bundle else (None,))]
    return [Line(row, guidance, order) for order, (row, guidance) in enumerate(pairs)]


class ExperimentRun:
    """An experiment in its folder."""

    def __init__(self, config: ExperimentConfig, out: Path, device: torch.device) -> None:
        """Open everything that it needs.

        Raises IGRError before long work starts where a bundle, a folder of pictures or the data cannot be used.
        """
        self.config, self.out, self.device = config, out, device
        self.rank, self.processes = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        for row in config.rows:
            if row.bundle:
                Bundle.open(row.bundle_path)
            else:
                pictures_in(Path(row.pictures))
        self.subjects = Subjects(open_data_set(config.data))
        if not self.subjects.source.has_garments and config.references is None:
            raise IGRError(f"{self.subjects.source.title} has no garments: name a data set of them under references.")
        self.training = Subjects(open_data_set(config.nearest)) if config.nearest is not None else None
        bundles = [row.bundle_path for row in config.rows if row.bundle]
        if not bundles and config.encoder_path is None:
            raise IGRError("Rows of pictures alone need a bundle that tells the size: name one under encoder.")
        path = bundles[0] if bundles else config.encoder_path
        assert path is not None
        self.first = GarmentRestorer.from_bundle(path, str(device))
        """The first row's bundle: its size is the pictures', its view the persons'."""

    def restore(self) -> None:
        """Write the pictures of every bundle's row; of several processes (torchrun) each writes its share."""
        if self.processes > 1:
            torch.distributed.init_process_group("gloo", timeout=LONGEST_WAIT)
        if self.rank == 0:
            _claim(self.out / "experiment.json", self._described())
            self.subjects.write(self.out, self.first.info.model, self.config.labels)
        self._wait()
        for line in lines(self.config):
            if line.row.bundle:
                self._restore_line(line)
        self._wait()
        if self.processes > 1:
            torch.distributed.destroy_process_group()

    def score(self, weights: WeightsFolder, tell: Callable[[str], None]) -> list[Result]:
        """Write controls, score every line, and write each result.json; results in the order of the table."""
        scoring = Scoring(
            protocol_named(self.config.protocol),
            self.config.metrics,
            weights,
            self.config.encoder_path,
            cache=self.out / "features",
            tell=tell,
        )
        truth = self._references()
        results = []
        for line in lines(self.config):
            known = {"order": line.order, "guidance": line.guidance, "paper": line.row.paper} | self._known(line)
            kind = "bundle" if line.row.bundle else "folder"
            results.append(self._scored(scoring, line.slug, truth, line.name, kind, known))
        for name in self.config.controls:
            if name in NEED_TRUTH and not self.subjects.source.has_garments:
                continue
            write_control(name, self._pictures(name), self.subjects, self.out / "truth", self.first, self.training)
            known = {"order": len(results)}
            results.append(self._scored(scoring, name, truth, TITLES[name], "control", known))
        return results

    def _described(self) -> dict[str, Any]:
        source, config = self.subjects.source, self.config
        return {
            "title": config.title,
            "data": source.title if source.layout == "synthetic" else f"{source.title}, {config.data.split}",
            "table": config.table,
            "unpaired": not source.has_garments,
            "settings": {"data": asdict(config.data), "seed": config.seed, "size": self.first.info.model.native_size},
        }

    def _wait(self) -> None:
        if self.processes > 1:
            torch.distributed.barrier()

    def _pictures(self, place: str) -> Path:
        return self.out / "rows" / place / "pictures"

    def _restore_line(self, line: Line) -> None:
        folder, row, guidance = self._pictures(line.slug), line.row, line.guidance
        assert guidance is not None
        make_folder(folder)
        if self.rank == 0:
            _claim(folder.parent / "row.json", self._known(line) | {"guidance": guidance})
        count = len(self.subjects)
        share = range(count * self.rank // self.processes, count * (self.rank + 1) // self.processes)
        missing = [i for i in share if not (folder / f"{self.subjects.names[i]}.png").is_file()]
        if not missing:
            return
        restorer = GarmentRestorer.from_bundle(row.bundle_path, str(self.device))
        if restorer.info.model.native_size != self.first.info.model.native_size:
            raise IGRError(f"{row.bundle_path} and the first row's bundle work at other sizes: compare them apart.")
        bar = tqdm(total=len(share), initial=len(share) - len(missing), desc=line.name, unit="pair")
        for batch in _batches(missing, self.config.batch):
            garments = restorer.restore(
                self.subjects.view(batch, restorer.info.model),
                [self.subjects.categories[i] for i in batch],
                steps=self.config.steps,
                guidance=guidance,
                seed=self.config.seed + batch[0],
                reference_strength=row.reference_strength,
                image_prompt_strength=row.image_prompt_strength,
            )
            for i, garment in zip(batch, garments, strict=True):
                save_image(folder / f"{self.subjects.names[i]}.png", garment)
            bar.update(len(batch))
        bar.close()

    def _known(self, line: Line) -> dict[str, Any]:
        if not line.row.bundle:
            return {}
        bundle = Bundle.open(line.row.bundle_path)
        return {
            "bundle": bundle.info.name,
            "weights_sha256": bundle_weights_sha256(bundle),
            "steps": self.config.steps,
            "seed": self.config.seed,
            "reference_strength": line.row.reference_strength,
            "image_prompt_strength": line.row.image_prompt_strength,
        }

    def _references(self) -> Path:
        """Folder of the garments to compare with; those of another data set are written there first."""
        if self.subjects.source.has_garments:
            return self.out / "truth"
        assert self.config.references is not None
        others = Subjects(open_data_set(self.config.references))
        folder = self.out / "references"
        make_folder(folder)
        for row, name in enumerate(tqdm(others.names, desc="references", unit="garment")):
            if not (path := folder / f"{name}.png").is_file():
                save_picture(path, fit_garment(others.source.garment(row), self.first.info.model.native_size))
        return folder

    def _scored(self, scoring: Scoring, place: str, truth: Path, name: str, kind: str, known: dict[str, Any]) -> Result:
        folder = self._pictures(place)
        if kind == "folder":
            folder = Path(next(row.pictures for row in self.config.rows if row.name == name))
            known |= {"folder": os.path.relpath(folder, self.out)}
        known |= {"place": place}
        unpaired = not self.subjects.source.has_garments
        result = score_folders(scoring, folder, truth, name=name, kind=kind, unpaired=unpaired, known=known)
        write_results(self._pictures(place).parent / "result.json", [result])
        return result


def experiment_results(folder: Path) -> list[Result]:
    """Results of an experiment's folder in the order of its table; IGRError where there are none."""
    files = sorted(folder.glob("rows/*/result.json"))
    if not files:
        raise IGRError(f"{folder} holds no results: python -m training.evaluate run writes them.")
    return sorted(read_results(files), key=lambda result: result.known.get("order", 0))


def experiment_table(folder: Path) -> str:
    """The experiment beside the paper's table, in Markdown; Table 1 where its configuration names none."""
    results = experiment_results(folder)
    described = json.loads((folder / "experiment.json").read_text(encoding="utf-8"))
    return paper_table(described["table"] or "table1", described["unpaired"], results, described["data"])


def _claim(path: Path, described: dict[str, Any]) -> None:
    """Note in a folder what it is of; IGRError where it is of something else, as pictures of two would mix."""
    text = json.dumps(described, indent=1) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise IGRError(f"{path} tells of other settings: give another --out, or remove {path.parent}.")
    make_folder(path.parent)
    write_text(path, text)


def _batches(rows: list[int], size: int) -> Iterator[list[int]]:
    """Runs of rows that follow each other, as noise is drawn from the first one's number on; at most `size` long."""
    batch: list[int] = []
    for row in rows:
        if batch and (row != batch[-1] + 1 or len(batch) == size):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
