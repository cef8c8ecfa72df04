"""The command `python -m igr_core mask`: a garment's mask by SAM 2 from marks on the photo, or by category."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from ..demo import DEMO_SEGMENTER
from ..errors import IGRError, UsageMistake
from .mask_by_category import Wanted, category_finder, check_no_marks
from .shared import Device, Find, choose_device, load_segmenter, memory_told, one_sentence, tell_of_demo

if TYPE_CHECKING:
    from torch import Tensor

    from ..segmentation.candidates import Choice
    from ..segmentation.sam2_prompt import Prompt

# torch and transformers are imported inside the functions, so that --help comes at once.


class Candidate(Enum):
    """Which of the masks that SAM 2 offers is written, as in candidates.Choice."""

    best = "best"
    largest = "largest"
    smallest = "smallest"
    merged = "merged"


SegmenterPath = Annotated[
    Path | None,
    typer.Option(
        help="SAM 2: a folder in transformers' layout, or one .safetensors file.",
        show_default="the demo, which knows drawn persons only",
    ),
]
ParserPath = Annotated[
    Path | None,
    typer.Option(help="Human parser, a folder in transformers' layout: finds the garment without marks."),
]
Category = Annotated[
    Wanted | None,
    typer.Option(help="Garment that the parser is asked for; auto: the largest.", show_default="auto"),
]
Keep = Annotated[
    list[str] | None, typer.Option(metavar="X,Y", help="A point on the garment, in pixels of the photo; repeat it.")
]
LeaveOut = Annotated[
    list[str] | None, typer.Option("--not", metavar="X,Y", help="A point that is not on the garment; repeat it.")
]
Around = Annotated[
    str | None, typer.Option(metavar="LEFT,TOP,RIGHT,BOTTOM", help="A box around the garment, in pixels.")
]
Rough = Annotated[
    Path | None,
    typer.Option(
        help="A rough mask to refine, as large as the photo; without a point or a box its own box is asked for too."
    ),
]
Which = Annotated[
    Candidate, typer.Option(help="Of several answers the one that SAM 2 is surest of, by pixels, or all as one.")
]
Shown = Annotated[Path | None, typer.Option(help="Picture to write of the photo, faded beside the mask.")]


def find_mask(
    person: Annotated[Path, typer.Argument(help="Photo of the dressed person.")],
    out: Annotated[Path, typer.Option(help="Mask to write (.png), white where the garment is.")],
    segmenter: SegmenterPath = None,
    parser: ParserPath = None,
    category: Category = None,
    point: Keep = None,
    leave_out: LeaveOut = None,
    box: Around = None,
    rough: Rough = None,
    candidate: Which = Candidate.best,
    overlay: Shown = None,
    device: Annotated[Device, typer.Option(help="Where to run; auto takes a GPU if there is one.")] = Device.auto,
) -> None:
    """Find a garment's mask for `restore --mask`: by points on it, a box around it or a rough mask, or by category.

    By category a human parser finds it; SAM 2, where --segmenter names one, then draws its edges.
    """
    from ..files import make_folder
    from ..photo.images import load_photo, save_image
    from ..photo.overlay import overlay as shown

    with one_sentence():
        if parser is None and category is None:
            find = _marks_finder(person, segmenter, point or [], leave_out or [], box, rough, candidate)
        else:
            check_no_marks(point, leave_out, box, rough, candidate is not Candidate.best)
            find = category_finder(parser, category or Wanted.auto, segmenter)
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
        typer.echo(f"Wrote {out} in {time.monotonic() - start:.1f} s: {words}.")


def _marks_finder(
    person: Path,
    segmenter: Path | None,
    point: Sequence[str],
    leave_out: Sequence[str],
    box: str | None,
    rough: Path | None,
    candidate: Candidate,
) -> Find:
    """What finds a mask by marks; raises UsageMistake for marks that are wrong on any photo."""
    marks = _parse_marks(point, leave_out, box, rough)
    weights = _segmenter_path(segmenter)

    def find(device: str, photo: Tensor) -> Callable[[], tuple[Tensor, str]]:
        prompt = _prompt(person, photo, *marks, rough)
        return partial(_segment, weights, device, photo, prompt, candidate.value)

    return find


def _parse_marks(
    point: Sequence[str], leave_out: Sequence[str], box: str | None, rough: Path | None
) -> tuple[list[tuple[float, ...]], list[tuple[float, ...]], tuple[float, ...] | None]:
    """Points on the garment, points beside it and the box as numbers; raises UsageMistake."""
    from ..segmentation.clicks import MAX_POINTS

    if not point and box is None and rough is None:
        raise UsageMistake("Say where the garment is: --point X,Y on it, --box LEFT,TOP,RIGHT,BOTTOM or --rough MASK.")
    if len(point) + len(leave_out) > MAX_POINTS:
        raise UsageMistake(f"There are {len(point) + len(leave_out)} points: give at most {MAX_POINTS}.")
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
        raise UsageMistake(f"{option} {text!r} is not understood: write {form} in pixels, such as {example}.")
    return numbers


def _segmenter_path(given: Path | None) -> Path:
    if given is not None:
        return given
    if not DEMO_SEGMENTER.is_dir():
        raise UsageMistake(
            f"{DEMO_SEGMENTER} is not there: name a SAM 2 with --segmenter, a folder in transformers' layout or one "
            ".safetensors file."
        )
    tell_of_demo("SAM 2", "--segmenter")
    return DEMO_SEGMENTER


def _check_paths(person: Path, rough: Path | None, out: Path, overlay: Path | None) -> None:
    """Raise UsageMistake where an input is not there, or an output cannot be written or would overwrite another."""
    from ..photo.images import check_picture_name

    inputs = [("photo", person), *([("rough mask", rough)] if rough is not None else [])]
    for label, path in inputs:
        if not path.exists():
            raise UsageMistake(f"The {label} {path} is not there: check the name.")
        if path.is_dir():
            raise UsageMistake(f"The {label} {path} is a folder: name one picture.")
    if rough is not None and rough.samefile(person):
        raise UsageMistake(f"--rough is {person} itself: name a mask, white where the garment is.")
    if overlay is not None and overlay.resolve() == out.resolve():
        raise UsageMistake(f"--overlay and --out are both {out}: give them two names.")
    outputs: list[tuple[str, Path, Literal["L", "RGB"]]] = [("--out", out, "L")]
    if overlay is not None:
        outputs.append(("--overlay", overlay, "RGB"))
    for option, path, mode in outputs:
        if path.is_dir():
            raise UsageMistake(f"{option} {path} is a folder: name the picture to write, such as {path / 'mask.png'}.")
        if path.exists() and any(path.samefile(one) for _, one in inputs):
            raise UsageMistake(f"{option} {path} would overwrite its own input: choose another name.")
        try:
            check_picture_name(path, mode)
        except IGRError as error:
            raise UsageMistake(str(error)) from error


def _prompt(
    person: Path,
    photo: Tensor,
    positive: Sequence[tuple[float, ...]],
    negative: Sequence[tuple[float, ...]],
    corners: tuple[float, ...] | None,
    rough: Path | None,
) -> Prompt:
    """What is asked of the photo; raises IGRError for a rough mask that does not fit, UsageMistake for other marks."""
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
        raise UsageMistake(f"{person}: {error}") from error


def _segment(weights: Path, device: str, photo: Tensor, prompt: Prompt, choice: Choice) -> tuple[Tensor, str]:
    """The mask (1, 1, H, W) on the CPU, and what there is to say of it; raises IGRError."""
    from ..segmentation.candidates import choose

    asking = Console(stderr=True).status(f"asking {weights.name}")
    with asking, memory_told("take a smaller SAM 2, or --device cpu"):
        segmenter = load_segmenter(weights, device)
        found = choose(*segmenter.masks(segmenter.embed(photo), prompt), choice).cpu()
    return found, f"{float(found.mean()):.1%} of the photo"
