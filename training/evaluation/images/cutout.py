"""Prepare other methods' results for scoring: `python -m training evaluate cutout segment | adapt`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from igr_core.errors import IGRError, is_out_of_memory
from igr_core.files import make_folder
from igr_core.outputs import CannotWrite
from igr_core.photo.images import load_mask, load_photo, save_image
from igr_core.photo.inputs import validate_inputs
from igr_core.restore.jobs import Report
from igr_core.restore.pairing import pair_by_name
from igr_core.segmentation.sam2_prompt import PromptKind, prompt_from_mask
from igr_core.segmentation.segmenter import Segmenter

from .cutout_settings import of_tasks
from .folders import images_in

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One image to write."""

    picture: Path
    """An image written by another method."""
    beside: Path
    """The image's mask or reference."""
    out: Path
    """Path of the image to write."""


def plan_segment(pictures: Path, masks: Path, out: Path, report: Callable[[str], None]) -> list[Task]:
    """Pair images with masks by name, or all images with a single mask file.

    Raises IGRError for folders that do not match, or for an unusable mask file; images without a mask are reported
    first, in one sentence each.
    """
    if not pictures.is_dir():
        raise IGRError(f"{pictures} is not a folder: specify a folder of images.")
    if not masks.exists():
        raise IGRError(f"--masks {masks} does not exist: specify a folder of masks, or one mask for all images.")
    _check_out(out, pictures, masks)
    if masks.is_file():
        try:
            prompt_from_mask(load_mask(masks))
        except IGRError as error:
            raise IGRError(f"--masks {masks}: {error}") from error
        return [Task(path, masks, out / f"{name}.png") for name, path in images_in(pictures).items()]
    found = pair_by_name(pictures, masks, lambda _: "")  # categories do not matter here
    problem = "cannot be used (see above): fix them, or set --masks to one mask for all images."
    _refuse(found.failed, len(found.pairs), pictures, problem, report)
    return [Task(pair.photo, pair.mask, out / f"{pair.photo.stem}.png") for pair in found.pairs]


def plan_adapt(results: Path, reference: Path, out: Path, report: Callable[[str], None]) -> list[Task]:
    """Pair a method's images with references by name; references without an image are skipped.

    Raises IGRError as plan_segment does.
    """
    ours, theirs = images_in(results), images_in(reference)
    _check_out(out, results, reference)
    missing = {path.name: f"There is no {name} in {reference}." for name, path in ours.items() if name not in theirs}
    problem = "have no reference (see above): rename them like their references, or remove them."
    _refuse(missing, len(ours) - len(missing), results, problem, report)
    return [Task(path, theirs[name], out / f"{name}.png") for name, path in ours.items()]


def work_through(
    tasks: Sequence[Task],
    prepare: Callable[[], Callable[[Task], None]],
    overwrite: bool,
    title: str,
    settings: Mapping[str, str],
) -> Report:
    """Write the image of every task, except existing images; if a task fails, this is recorded and the others continue.

    `prepare` loads the required models, and is not called if nothing is left to do. Raises IGRError if existing images
    were made with other settings or from other files, and CannotWrite at the first image that cannot be written.
    """
    folder = tasks[0].out.parent
    made_with = of_tasks(settings, {task.out: (task.picture, task.beside) for task in tasks})
    left = [task for task in tasks if overwrite or not task.out.exists()]
    report = Report(skipped=[] if overwrite else [task.out for task in tasks if task.out.exists()])
    made_with.check(folder, (path.name for path in report.skipped))
    if not left:
        return report
    write = prepare()
    make_folder(folder)
    for task in left:  # if this run is stopped, earlier images must not be mistaken for its own
        task.out.unlink(missing_ok=True)
    made_with.write(folder)
    for task in tqdm(left, desc=title, unit="image"):
        try:
            write(task)
            report.done.append(task.out)
        except CannotWrite:
            raise
        except IGRError as error:
            report.failed[task.picture.name] = str(error)
        except Exception as error:
            if is_out_of_memory(error):
                report.failed[task.picture.name] = (
                    "There was not enough memory: close other programs, or use --device cpu."
                )
            else:  # a bug: log it in full, but continue with the other images
                logger.exception("Unexpected error for %s", task.picture)
                report.failed[task.picture.name] = f"Unexpected error ({error}): please report this."
    return report


def write_cutout(task: Task, segmenter: Segmenter, use: PromptKind) -> None:
    """Write an image's garment on white; raises IGRError naming the image and the mask."""
    picture, mask = load_photo(task.picture), load_mask(task.beside)
    try:
        save_image(task.out, cut_out(picture, mask, segmenter, use))
    except IGRError as error:
        raise IGRError(f"{task.picture} with mask {task.beside}: {error}") from error


def cut_out(picture: Tensor, mask: Tensor, segmenter: Segmenter, use: PromptKind = "box") -> Tensor:
    """Cut out SAM 2's best candidate for a rough mask (1, 1, H, W) from an image (1, 3, H, W), and put it on white.

    Raises IGRError for an empty mask, for a mask of another size, or if SAM 2 finds nothing.
    """
    validate_inputs(picture, mask)
    masks, scores = segmenter.masks(segmenter.embed(picture), prompt_from_mask(mask, use))
    best = masks[scores.argmax()].bool().cpu()  # (1, H, W)
    if not bool(best.any()):
        raise IGRError(
            "SAM 2 found nothing at the mask: check that the mask is on the garment, or try another --prompt."
        )
    return torch.where(best, picture, 1.0)


def _check_out(out: Path, *inputs: Path) -> None:
    if any(out.exists() and out.samefile(one) for one in inputs):
        raise IGRError(f"--out {out} is also an input folder: choose another one.")


def _refuse(failed: dict[str, str], good: int, folder: Path, problem: str, report: Callable[[str], None]) -> None:
    for name, sentence in failed.items():
        report(f"{name}: {sentence}")
    if failed:
        raise IGRError(f"{len(failed)} of {len(failed) + good} images in {folder} {problem}")
