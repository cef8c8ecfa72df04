"""Prepare other methods' results for scoring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from igr_core.cli.shared import echo

from .commands import Commands, DeviceOption, out_folder

if TYPE_CHECKING:
    from igr_core.restore.jobs import Report

app = typer.Typer(cls=Commands, add_completion=False, no_args_is_help=True, help=__doc__)


Out = Annotated[
    Path,
    typer.Option(help="Folder for NAME.png; resumes an interrupted run with the same settings.", callback=out_folder),
]


Overwrite = Annotated[bool, typer.Option("--overwrite", help="Overwrite existing files in the output folder.")]


@app.command()
def segment(
    pictures: Annotated[Path, typer.Argument(help="Folder of photos of dressed people, NAME with any extension.")],
    masks: Annotated[
        Path,
        typer.Option(
            help="Folder of rough garment masks, NAME with any extension; or one file for all photos, if the garment "
            "is in the same position in all of them."
        ),
    ],
    sam2: Annotated[Path, typer.Option(help="SAM 2 folder in transformers' layout: config.json, *.safetensors.")],
    out: Out,
    prompt: Annotated[
        Literal["box", "points", "both"],
        typer.Option(help="Prompt SAM 2 with the mask's box, its deepest point, or both."),
    ] = "box",
    device: DeviceOption = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Cut garments out of photos of dressed people, and put them on white: for CFLD, OOTDiffusion and IDM-VTON.

    The paper dressed a frontal fitting model (OOTDiffusion, IDM-VTON) or turned the person into a frontal pose (CFLD).
    If the model or pose is the same throughout, one garment mask works for all photos.
    """
    from igr_core.device import choose_device
    from igr_core.segmentation.segmenter import Segmenter

    from ..evaluation.images.cutout import Task, plan_segment, work_through, write_cutout
    from ..evaluation.images.cutout_settings import named

    tasks = plan_segment(pictures, masks, out, echo)
    place = choose_device(device)

    def prepare() -> Callable[[Task], None]:
        segmenter = Segmenter.from_folder(sam2, place)
        return lambda task: write_cutout(task, segmenter, prompt)

    model = [sam2 / "config.json", *sorted(sam2.glob("*.safetensors"))]
    settings = {"command": "segment", "prompt": prompt, "sam2": named(sam2, model)}
    report = work_through(tasks, prepare, overwrite, "cutting out", settings)
    _tell(report, "cut out")


@app.command()
def adapt(
    results: Annotated[Path, typer.Argument(help="Folder of a method's results, NAME with any extension.")],
    method: Annotated[Literal["tryoffdiff", "tryoffanyone"], typer.Option(help="Method that produced them.")],
    reference: Annotated[Path, typer.Option(help="Folder of the ground-truth garments, NAME with any extension.")],
    out: Out,
    overwrite: Overwrite = False,
) -> None:
    """Undo TryOffDiff's padding or TryOffAnyone's stretching, so that images have the canvas of their references."""
    from ..evaluation.images.adapters import adapted
    from ..evaluation.images.cutout import Task, plan_adapt, work_through
    from ..evaluation.images.subjects import save_picture

    tasks = plan_adapt(results, reference, out, echo)

    def write(task: Task) -> None:
        save_picture(task.out, adapted(task.picture, method, task.beside))

    settings = {"command": "adapt", "method": method}
    report = work_through(tasks, lambda: write, overwrite, "adapting", settings)
    _tell(report, "adapted")


def _tell(report: Report, word: str) -> None:
    echo(f"{len(report.done)} {word}, {len(report.skipped)} already done, {len(report.failed)} failed.")
    for name, sentence in report.failed.items():
        echo(f"Failed: {name}: {sentence}", err=True)
    if report.failed:
        raise typer.Exit(1)
