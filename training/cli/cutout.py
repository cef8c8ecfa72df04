"""Make other methods' results ready to be scored."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from igr_core.restore.jobs import Report
from igr_core.segmentation.segmenter import Segmenter

from ..base.device import choose_device
from ..evaluation.pictures.adapters import adapted
from ..evaluation.pictures.cutout import Task, plan_adapt, plan_segment, work_through, write_cutout
from ..evaluation.pictures.cutout_settings import named
from ..evaluation.pictures.subjects import save_picture
from .commands import Commands, DeviceOption

app = typer.Typer(cls=Commands, add_completion=False, no_args_is_help=True, help=__doc__)


class Ask(Enum):
    """What SAM 2 is asked with."""

    box = "box"
    points = "points"
    both = "both"


class Method(Enum):
    """Methods whose canvas can be undone."""

    tryoffdiff = "tryoffdiff"
    tryoffanyone = "tryoffanyone"


Out = Annotated[Path, typer.Option(help="Folder for NAME.png; a stopped run goes on where its settings are the same.")]


Overwrite = Annotated[bool, typer.Option("--overwrite", help="Write again what is already in the output folder.")]


@app.command()
def segment(
    pictures: Annotated[Path, typer.Argument(help="Folder of dressed persons, NAME with any suffix.")],
    masks: Annotated[
        Path,
        typer.Option(
            help="Folder of rough masks of the garment, NAME with any suffix; or one file for all pictures, where the "
            "garment lies at the same place in all of them."
        ),
    ],
    sam2: Annotated[Path, typer.Option(help="SAM 2 in transformers' layout: config.json, *.safetensors.")],
    out: Out,
    prompt: Annotated[
        Ask, typer.Option(help="Ask for the mask's box, the point deepest inside it, or both.")
    ] = Ask.box,
    device: DeviceOption = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Cut the garment out of dressed persons onto white, on the same canvas: results of CFLD, OOTDiffusion, IDM-VTON.

    The paper dressed a frontal fitting model (OOTDiffusion, IDM-VTON) or turned the person to a straight pose (CFLD):
    with one model or pose throughout, one mask of where the garment lies serves for all pictures.
    """
    tasks = plan_segment(pictures, masks, out, typer.echo)
    place = choose_device(device)

    def prepare() -> Callable[[Task], None]:
        segmenter = Segmenter.from_folder(sam2, place)
        return lambda task: write_cutout(task, segmenter, prompt.value)

    model = [sam2 / "config.json", *sorted(sam2.glob("*.safetensors"))]
    settings = {"command": "segment", "prompt": prompt.value, "sam2": named(sam2, model)}
    report = work_through(tasks, prepare, overwrite, "cutting out", settings)
    _tell(report, "cut out")


@app.command()
def adapt(
    results: Annotated[Path, typer.Argument(help="Folder of a method's pictures, NAME with any suffix.")],
    method: Annotated[Method, typer.Option(help="Whose they are.")],
    reference: Annotated[Path, typer.Option(help="Folder of the true garments, NAME with any suffix.")],
    out: Out,
    overwrite: Overwrite = False,
) -> None:
    """Undo TryOffDiff's padding or TryOffAnyone's stretching, so that pictures lie on their references' canvas."""
    tasks = plan_adapt(results, reference, out, typer.echo)

    def write(task: Task) -> None:
        save_picture(task.out, adapted(task.picture, method.value, task.beside))

    settings = {"command": "adapt", "method": method.value}
    report = work_through(tasks, lambda: write, overwrite, "adapting", settings)
    _tell(report, "adapted")


def _tell(report: Report, word: str) -> None:
    typer.echo(f"{len(report.done)} {word}, {len(report.skipped)} already there, {len(report.failed)} failed.")
    for name, sentence in report.failed.items():
        typer.echo(f"Failed: {name}: {sentence}", err=True)
    if report.failed:
        raise typer.Exit(1)
