"""The command `python -m igr_core mask`: find a garment's mask with SAM 2 from marks on the photo, or by category."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from ..errors import IGRError, UsageError
from ..included import INCLUDED_SEGMENTER
from ..text import one_line
from .mask_by_category import Wanted, category_finder, check_no_marks
from .shared import (
    DeviceOption,
    Find,
    echo_line,
    explain_out_of_memory,
    load_segmenter,
    note_included_model,
    one_sentence,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..segmentation.candidates import Choice
    from ..segmentation.sam2_prompt import Prompt

# torch and transformers are imported inside the functions so that --help is fast.


Candidate = Literal["best", "largest", "smallest", "merged"]
"""Choices among SAM 2's candidate masks; a copy of candidates.Choice, whose module imports torch."""


SegmenterPath = Annotated[
    Path | None,
    typer.Option(
        help="SAM 2 model: a folder in transformers' layout, or a .safetensors file.",
        show_default="the included one, not trained on photos",
    ),
]
ParserPath = Annotated[
    Path | None,
    typer.Option(help="Human parser that finds the garment without marks: a folder in transformers' layout."),
]
Category = Annotated[
    Wanted | None,
    typer.Option(help="Garment for the parser to find; auto picks the largest.", show_default="auto"),
]
Keep = Annotated[
    list[str] | None, typer.Option(metavar="X,Y", help="Point on the garment, in pixels of the photo; may be repeated.")
]
LeaveOut = Annotated[
    list[str] | None,
    typer.Option("--not", metavar="X,Y", help="Point outside the garment, in pixels of the photo; may be repeated."),
]
Around = Annotated[
    str | None, typer.Option(metavar="LEFT,TOP,RIGHT,BOTTOM", help="Box around the garment, in pixels of the photo.")
]
Rough = Annotated[
    Path | None,
    typer.Option(
        help="Rough mask to refine, the same size as the photo. If no point or box is given, its bounding box is "
        "used too."
    ),
]
Which = Annotated[
    Candidate,
    typer.Option(
        help="Which of SAM 2's candidates to use: the one with the highest score, the largest, the "
        "smallest, or all merged."
    ),
]
Shown = Annotated[Path | None, typer.Option(help="Image to write: the photo, faded outside the mask.")]


def find_mask(
    person: Annotated[Path, typer.Argument(help="Photo of the dressed person.")],
    out: Annotated[Path, typer.Option(help="Mask to write (.png), white on the garment.")],
    segmenter: SegmenterPath = None,
    parser: ParserPath = None,
    category: Category = None,
    point: Keep = None,
    leave_out: LeaveOut = None,
    box: Around = None,
    rough: Rough = None,
    candidate: Which = "best",
    overlay: Shown = None,
    device: DeviceOption = "auto",
) -> None:
    """Find a garment's mask for `restore --mask`, from points, a box or a rough mask, or by category.

    By category, a human parser finds the garment; if --segmenter is given, SAM 2 then refines its edges.
    """
    with one_sentence():
        from ..device import choose_device
        from ..files import make_folder
        from ..photo.images import load_photo, save_image
        from ..photo.overlay import overlay as shown

        if parser is None and category is None:
            find = _marks_finder(person, segmenter, point or [], leave_out or [], box, rough, candidate)
        else:
            check_no_marks(point, leave_out, box, rough, candidate != "best")
            find = category_finder(parser, category or "auto", segmenter)
        _check_paths(person, rough, out, overlay)
        place = choose_device(device)
        photo = load_photo(person)
        work = find(place, photo)
        for folder in {path.parent for path in (out, overlay) if path is not None}:
            make_folder(folder)
        start = time.monotonic()
        found, words = work()
        save_image(out, found, "L")
        if overlay is not None:
            save_image(overlay, shown(photo, found))
        echo_line(f"Wrote {out} in {time.monotonic() - start:.1f} s: {words}.")


def _marks_finder(
    person: Path,
    segmenter: Path | None,
    point: Sequence[str],
    leave_out: Sequence[str],
    box: str | None,
    rough: Path | None,
    candidate: Candidate,
) -> Find:
    """Return a function that finds a mask from marks; raises UsageError for marks that no photo could have."""
    marks = _parse_marks(point, leave_out, box, rough)
    weights = _segmenter_path(segmenter)

    def find(device: torch.device, photo: Tensor) -> Callable[[], tuple[Tensor, str]]:
        prompt = _prompt(person, photo, *marks, rough)
        return partial(_segment, weights, device, photo, prompt, candidate)

    return find


def _parse_marks(
    point: Sequence[str], leave_out: Sequence[str], box: str | None, rough: Path | None
) -> tuple[list[tuple[float, ...]], list[tuple[float, ...]], tuple[float, ...] | None]:
    """Positive points, negative points and the box as numbers; raises UsageError if they are missing or invalid."""
    from ..segmentation.clicks import MAX_POINTS

    if not point and box is None and rough is None:
        raise UsageError("The garment is not marked: use --point X,Y, --box LEFT,TOP,RIGHT,BOTTOM or --rough MASK.")
    if len(point) + len(leave_out) > MAX_POINTS:
        raise UsageError(f"There are {len(point) + len(leave_out)} points: use at most {MAX_POINTS}.")
    positive = [_numbers("--point", text, "X,Y", "320,410") for text in point]
    negative = [_numbers("--not", text, "X,Y", "320,410") for text in leave_out]
    corners = None if box is None else _numbers("--box", box, "LEFT,TOP,RIGHT,BOTTOM", "80,120,300,520")
    return positive, negative, corners


def _numbers(option: str, text: str, form: str, example: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != form.count(",") + 1 or not all(map(math.isfinite, numbers)):
        raise UsageError(f"{option} {text!r} is not valid: use {form} in pixels, such as {example}.")
    return numbers


def _segmenter_path(given: Path | None) -> Path:
    if given is not None:
        return given
    if not INCLUDED_SEGMENTER.is_dir():
        raise UsageError(
            f"{INCLUDED_SEGMENTER} does not exist: use --segmenter with a SAM 2 folder in transformers' layout or a "
            f".safetensors file."
        )
    note_included_model("SAM 2", "--segmenter")
    return INCLUDED_SEGMENTER


def _check_paths(person: Path, rough: Path | None, out: Path, overlay: Path | None) -> None:
    """Raise UsageError if an input does not exist, or an output cannot be written or would overwrite an input."""
    from ..outputs import check_file, is_below, same_place
    from ..photo.images import check_image_name

    inputs = [("photo", person), *([("rough mask", rough)] if rough is not None else [])]
    for label, path in inputs:
        if not os.path.exists(path):  # Path.exists raises an error for a name that is too long
            raise UsageError(f"The {label} {path} does not exist: check the path.")
        if path.is_dir():
            raise UsageError(f"The {label} {path} is a folder: specify an image file.")
    if rough is not None and rough.samefile(person):
        raise UsageError(f"--rough is the photo {person} itself: specify a mask that is white on the garment.")
    if overlay is not None and same_place(overlay, out):
        raise UsageError(f"--overlay and --out are both {out}: choose different names.")
    if overlay is not None and (is_below(overlay, out) or is_below(out, overlay)):
        raise UsageError(
            "--overlay and --out conflict, because one would be a file, but also the folder that contains the other: "
            "choose another name."
        )
    outputs: list[tuple[str, Path, Literal["L", "RGB"]]] = [("--out", out, "L")]
    if overlay is not None:
        outputs.append(("--overlay", overlay, "RGB"))
    for option, path, mode in outputs:
        if os.path.isdir(path):
            raise UsageError(f"{option} {path} is a folder: specify the file to write, such as {path / 'mask.png'}.")
        if any(same_place(path, one) for _, one in inputs):
            raise UsageError(f"{option} {path} would overwrite an input: choose another name.")
        check_file(path, option)
        try:
            check_image_name(path, mode)
        except IGRError as error:
            raise UsageError(str(error)) from error


def _prompt(
    person: Path,
    photo: Tensor,
    positive: Sequence[tuple[float, ...]],
    negative: Sequence[tuple[float, ...]],
    corners: tuple[float, ...] | None,
    rough: Path | None,
) -> Prompt:
    """The prompt for a photo; raises IGRError for an invalid rough mask and UsageError for other invalid marks."""
    from ..photo.images import load_mask
    from ..photo.inputs import validate_inputs
    from ..segmentation.clicks import Clicks

    mask = None if rough is None else load_mask(rough)
    if mask is not None:
        try:
            validate_inputs(photo, mask)
        except IGRError as error:
            raise IGRError(f"{person} with rough mask {rough}: {error}") from error
    clicks = Clicks(tuple(positive), tuple(negative), corners)  # pyright: ignore[reportArgumentType]
    try:
        return clicks.prompt((photo.shape[-1], photo.shape[-2]), mask)
    except IGRError as error:
        raise UsageError(f"{person}: {error}") from error


def _segment(weights: Path, device: torch.device, photo: Tensor, prompt: Prompt, choice: Choice) -> tuple[Tensor, str]:
    """The mask (1, 1, H, W) on the CPU and its description; raises IGRError if SAM 2 cannot run or finds nothing."""
    from ..segmentation.candidates import choose

    status = Console(stderr=True).status(Text(f"running {one_line(weights.name)}"))
    with status, explain_out_of_memory("use a smaller SAM 2, or --device cpu"):
        segmenter = load_segmenter(weights, device)
        found = choose(*segmenter.masks(segmenter.embed(photo), prompt), choice).cpu()
    return found, f"{float(found.mean()):.1%} of the photo"
