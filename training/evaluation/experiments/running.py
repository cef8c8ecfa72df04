"""Run an experiment: write the images of every row, then score them. Existing images are kept, so it can be resumed."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from tqdm import tqdm

from igr_core.device import dtype_for
from igr_core.errors import IGRError
from igr_core.files import make_folder, sha256
from igr_core.flatten.flat import check_flattens
from igr_core.flatten.model_file import load_flattener
from igr_core.included import INCLUDED_FLATTENER, INCLUDED_OUTLINES
from igr_core.model.bundle import Bundle
from igr_core.photo.image_files import decode_image
from igr_core.photo.images import save_image
from igr_core.processes import launched_processes
from igr_core.restore.flattened import check_steps
from igr_core.restore.restorer import GarmentRestorer

from ...base.files import write_text
from ...base.provenance import bundle_weights_sha256, weights_sha256
from ...data.contract.laid_out import fit_garment
from ...data.opening import DataSetConfig, open_data_set
from ..images.claims import check_held_out, claim, data_title, described_data, described_view
from ..images.controls import NEED_TRUTH, TITLES, write_control
from ..images.folders import folder_name, images_in
from ..images.subjects import Subjects, save_picture
from ..metrics.protocols import protocol_named
from ..metrics.weights import WeightsFolder
from ..result import Result, write_results
from .experiment import ExperimentConfig, Line, lines, of_each_set
from .folder import DESCRIPTION, PLACES, SETS
from .history import pairs_seen, steps_trained
from .others import Others, check_apart, find_others, problems, take_in
from .restoring import restore_line
from .scoring import Scoring, score_folders
from .unseen import unseen

LONGEST_WAIT = timedelta(days=7)
"""Maximum time that a process waits for the images of other processes."""


class ExperimentRun:
    """An experiment in its folder."""

    def __init__(
        self, config: ExperimentConfig, out: Path, device: torch.device, report: Callable[[str], None] = lambda _: None
    ) -> None:
        """Open all inputs; `config` has one held-out set (of_each_set).

        Raises IGRError, before any long computation, if a bundle, a folder of images or the data cannot be used;
        problems with individual images are reported first, in one sentence each.
        """
        self.config, self.out, self.device = config, out, device
        launched = launched_processes()
        self.rank, self.processes = launched.rank, launched.count
        if config.data is None:
            raise IGRError(f"{config.title!r} has several held-out sets: run it on each of them.")
        self.data: DataSetConfig = config.data
        paths = dict.fromkeys(line.bundle_path for line in lines(config) if line.row.bundle)
        bundles = {path: Bundle.open(path) for path in paths}
        for row in config.rows:
            if row.pictures:
                images_in(Path(row.pictures))
                check_apart(Path(row.pictures), out)
        self.subjects = Subjects(open_data_set(self.data))
        check_held_out(self.subjects.source)
        for words in unseen(bundles, self.subjects.categories, self.subjects.source.title):
            report(words)
        self.unpaired = not self.subjects.source.has_garments
        """Whether whole sets are compared, because there are no ground-truth garments."""
        if self.unpaired and config.references is None:
            raise IGRError(f"{self.subjects.source.title} has no garments: set references to a data set that has them.")
        self.references = None
        if self.unpaired and config.references is not None:
            self.references = Subjects(open_data_set(config.references))
        self.training = Subjects(open_data_set(config.nearest)) if config.nearest is not None else None
        self._path = next(iter(bundles), config.encoder_path)
        if self._path is None:
            raise IGRError("An experiment without bundles takes its size from the encoder: set encoder to a bundle.")
        self.first = GarmentRestorer.from_bundle(self._path, str(device))
        """The first row's bundle, whose size and view all rows use."""
        for path, bundle in bundles.items():
            if bundle.info.model.native_size != self.first.info.model.native_size:
                raise IGRError(
                    f"{path} and the first row's bundle have different working sizes: use separate experiments."
                )
        for line in lines(config):
            if line.row.start == "flat":
                _check_flat(line, self.first)
        if "nearest" in config.controls and self.first.image_encoder is None:
            raise IGRError(f"{self._path} has no image encoder for the control `nearest`: remove it from controls.")
        self._hashes: dict[Path, str] = {}
        self.others = self._found(report)
        """Images of each row that is another method's folder, by the row's name in the experiment's folder."""

    def restore(self) -> None:
        """Write the images of every row with a bundle; with several processes (restore_all), each writes its share."""
        if self.rank == 0:
            self._claim()
            self.subjects.write(self.out, self.first.info.model, self.config.labels)
        self._wait()
        for line in lines(self.config):
            if line.row.bundle:
                self._restore_line(line)
        self._wait()

    def score(self, weights: WeightsFolder, report: Callable[[str], None]) -> list[Result]:
        """Write controls, score every line, and write each result.json; returns results in the order of the table."""
        scoring = Scoring(
            protocol_named(self.config.protocol),
            self.config.metrics,
            weights,
            self.config.encoder_path,
            cache=self.out / "features",
            report=report,
            device=self.device,
            silhouettes=None if self.unpaired else self.subjects.silhouettes(self.out),
        )
        truth = self._references()
        write_text(self.out / PLACES, "[]\n")
        results: list[Result] = []
        for line in lines(self.config):
            known = {"row": line.label, "guidance": _guidance(line), "paper": line.row.paper} | self._known(line)
            if line.slug in self.others:
                take_in(self.others[line.slug], self._pictures(line.slug))
            kind = "bundle" if line.row.bundle else "folder"
            results.append(self._scored(scoring, line.slug, truth, line.name, kind, known))
            self._note(results)
        for name in self._controls():
            write_control(name, self._pictures(name), self.subjects, self.out / "truth", self.first, self.training)
            results.append(self._scored(scoring, name, truth, TITLES[name], "control", {}))
            self._note(results)
        return results

    def _found(self, report: Callable[[str], None]) -> dict[str, Others]:
        """Find the images of the rows that are folders; the first process checks each image."""
        found = {
            line.slug: find_others(Path(line.row.pictures), self.subjects)
            for line in lines(self.config)
            if line.row.pictures
        }
        if self.rank:
            return found
        wrong = {one.folder: problems(one, self.subjects, self.first.info.model.native_size) for one in found.values()}
        for sentence in (sentence for sentences in wrong.values() for sentence in sentences):
            report(sentence)
        if bad := [f"{len(sentences)} of {folder}" for folder, sentences in wrong.items() if sentences]:
            raise IGRError(
                f"Some images do not match the experiment's pairs ({', '.join(bad)}): fix the files listed above."
            )
        return found

    def _claim(self) -> None:
        """Record what every folder will contain, before the first image is written."""
        claim(self.out / DESCRIPTION, self._described())
        model, data = self.first.info.model, described_data(self.data, self.subjects.source)
        seen = {"data": data} | described_view(model)
        claim(self.out / "persons" / "settings.json", seen)
        if self.references is None:
            for kind in ("truth", "silhouettes"):
                claim(self.out / kind / "settings.json", {"data": data, "size": model.native_size})
        else:
            assert self.config.references is not None
            other = described_data(self.config.references, self.references.source)
            claim(self.out / "references" / "settings.json", {"data": other, "size": model.native_size})
        for line in lines(self.config):
            claim(self.out / "rows" / line.slug / "row.json", self._known(line) | self._made(line))
        for name in self._controls():
            described = {"control": name} | seen
            if name == "nearest" and self.training is not None and self.config.nearest is not None:
                assert self._path is not None
                described["nearest"] = described_data(self.config.nearest, self.training.source)
                described["encoder"] = weights_sha256(Bundle.open(self._path).tensors("image_encoder").items())
            claim(self.out / "rows" / name / "row.json", described)

    def _made(self, line: Line) -> dict[str, Any]:
        """Further settings that affect a line's images."""
        if not line.row.bundle:
            return {}
        return {"guidance": _guidance(line)} | described_view(Bundle.open(line.bundle_path).info.model)

    def _controls(self) -> list[str]:
        return [name for name in self.config.controls if not (self.unpaired and name in NEED_TRUTH)]

    def _note(self, results: list[Result]) -> None:
        write_text(self.out / PLACES, json.dumps([one.known["place"] for one in results], indent=1) + "\n")

    def _described(self) -> dict[str, Any]:
        source, config = self.subjects.source, self.config
        return {
            "title": config.title,
            "data": data_title(self.data, source),
            "table": config.table,
            "baseline": config.baseline,
            "compared": list(config.compared),
            "unpaired": self.unpaired,
            "settings": {
                "data": described_data(self.data, source),
                "seed": config.seed,
                "size": self.first.info.model.native_size,
            },
        }

    def _wait(self) -> None:
        if self.processes > 1:
            torch.distributed.barrier()

    def _pictures(self, place: str) -> Path:
        return self.out / "rows" / place / "pictures"

    def _restore_line(self, line: Line) -> None:
        folder = self._pictures(line.slug)
        make_folder(folder)
        count = len(self.subjects)
        share = range(count * self.rank // self.processes, count * (self.rank + 1) // self.processes)
        missing = [i for i in share if not _is_whole(folder / f"{self.subjects.names[i]}.png")]
        if not missing:
            return
        dtype = dtype_for(line.row.precision, self.device)
        restorer = GarmentRestorer.from_bundle(line.bundle_path, str(self.device), dtype, line.pruning)
        if line.row.start == "flat":
            restorer.flattener = load_flattener(INCLUDED_FLATTENER)
        bar = tqdm(total=len(share), initial=len(share) - len(missing), desc=line.name, unit="pair")
        for i, garment in restore_line(restorer, self.subjects, missing, line, self.config):
            save_image(folder / f"{self.subjects.names[i]}.png", garment)
            bar.update()
        bar.close()

    def _known(self, line: Line) -> dict[str, Any]:
        if not line.row.bundle:
            return {"folder": folder_name(Path(line.row.pictures))}
        assert line.sampling is not None
        interval = line.sampling.guidance_start, line.sampling.guidance_end
        bundle = Bundle.open(line.bundle_path)
        if line.bundle_path not in self._hashes:
            self._hashes[line.bundle_path] = bundle_weights_sha256(bundle)
        known = {
            "bundle": bundle.info.name,
            "weights_sha256": self._hashes[line.bundle_path],
            "training_seed": line.seed,
            "training_steps": steps_trained(bundle.info.training),
            "pairs_seen": pairs_seen(bundle.info.training),
            "guidance_interval": None if interval == (0.0, 1.0) else list(interval),
            "steps": line.sampling.steps,
            "sampler": line.sampling.sampler,
            "seed": self.config.seed,
            "reference_strength": line.row.reference_strength,
            "image_prompt_strength": line.row.image_prompt_strength,
            "photos": line.row.photos if line.row.photos > 1 else None,
            "details": line.row.details or None,
            "start": "flat" if line.row.start == "flat" else None,
            "precision": None if line.row.precision == "fp32" else line.row.precision,
            "flattener_sha256": _flattener_sha256() if line.row.start == "flat" else None,
            "outlines_sha256": sha256(INCLUDED_OUTLINES) if line.row.start == "flat" else None,
            "reference_margin": line.pruning.margin,
        }
        return {name: value for name, value in known.items() if value is not None}

    def _references(self) -> Path:
        """Folder of the garments to compare with; garments from another data set are written first."""
        others, folder = self.references, self.out / "references"
        if others is None:
            return self.out / "truth"
        make_folder(folder)
        for row, name in enumerate(tqdm(others.names, desc="references", unit="garment")):
            if not (path := folder / f"{name}.png").is_file():
                save_picture(path, fit_garment(others.source.garment(row), self.first.info.model.native_size))
        return folder

    def _scored(self, scoring: Scoring, place: str, truth: Path, name: str, kind: str, known: dict[str, Any]) -> Result:
        known, folder = known | {"place": place}, self._pictures(place)
        result = score_folders(scoring, folder, truth, name=name, kind=kind, unpaired=self.unpaired, known=known)
        if place in self.others:
            result = replace(result, warnings=(*result.warnings, *self.others[place].warnings()))
        write_results(folder.parent / "result.json", [result])
        return result


def open_runs(
    config: ExperimentConfig, out: Path, device: torch.device, report: Callable[[str], None] = lambda _: None
) -> list[ExperimentRun]:
    """A run for each held-out set of an experiment, in OUT, or in OUT/SET if there are several. Raises IGRError as
    ExperimentRun does."""
    runs = [ExperimentRun(one, out / name, device, report) for name, one in of_each_set(config).items()]
    if config.sets and runs[0].rank == 0:
        make_folder(out)
        write_text(out / SETS, json.dumps(list(config.sets)) + "\n")
    return runs


def restore_all(runs: Sequence[ExperimentRun]) -> None:
    """Restore the images of every run, one run after another; torchrun's processes divide the images."""
    if runs[0].processes > 1:
        torch.distributed.init_process_group("gloo", timeout=LONGEST_WAIT)
    for run in runs:
        run.restore()
    if runs[0].processes > 1:
        torch.distributed.destroy_process_group()


def _check_flat(line: Line, restorer: GarmentRestorer) -> None:
    """Raise IGRError naming the row if its garments cannot be laid out flat, or if it has too many steps."""
    assert line.sampling is not None
    try:
        check_flattens(load_flattener(INCLUDED_FLATTENER), restorer.info.model.native_size)
        check_steps(restorer.info.model.noise, line.sampling.steps)
    except IGRError as error:
        raise IGRError(f"Row {line.name!r} has start: flat. {error}") from error


@functools.cache
def _flattener_sha256() -> str:
    """Hash of the included flattener's weights."""
    return weights_sha256(load_flattener(INCLUDED_FLATTENER).state_dict().items())


def _is_whole(picture: Path) -> bool:
    """Whether an image exists and can be decoded; damaged images are restored again."""
    try:
        decode_image(picture, str(picture))
    except IGRError:
        return False
    return True


def _guidance(line: Line) -> float | None:
    return None if line.sampling is None else line.sampling.guidance
