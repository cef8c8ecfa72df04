"""Other methods: restore a data set with their published weights, and prepare their results for scoring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from igr_core.cli.shared import echo, explain_out_of_memory
from igr_core.errors import UsageError

from .commands import Commands, DeviceOption, LayoutOption, Split, out_folder, subfolders

if TYPE_CHECKING:
    import torch

    from igr_core.restore.jobs import Report

    from ..baselines.method import Method, Settings
    from ..baselines.weights import Published

baseline_app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    help="Restore a data set with another method's published weights.",
)
cutout_app = typer.Typer(
    cls=Commands, add_completion=False, no_args_is_help=True, help="Prepare other methods' results for scoring."
)

Out = Annotated[
    Path,
    typer.Option(help="Folder for NAME.png; resumes an interrupted run with the same settings.", callback=out_folder),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Overwrite existing files in the output folder.")]
Data = Annotated[str, typer.Argument(help="Folder of the data set; for shards, also a path or URL with braces.")]
Weights = Annotated[
    Path, typer.Option(help="Folder with the published files (see docs/evaluation.md); nothing is downloaded.")
]
SplitOption = Annotated[Split, typer.Option(help="Split to restore, including known duplicates and leaks.")]
Limit = Annotated[
    int | None, typer.Option(min=1, max=10_000_000, help="Maximum number of pairs, spread evenly over the data set.")
]
DataMask = Annotated[
    Literal["auto", "agnostic", "garment"],
    typer.Option(help="Type of masks in the data set; this command does not read them."),
]
Steps = Annotated[int, typer.Option(min=1, max=1000, help="Denoising steps.")]
Guidance = Annotated[float, typer.Option(min=1, max=100, help="Guidance scale; 1 disables guidance.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the noise.")]
Canvas = Annotated[
    Literal["reference", "own"],
    typer.Option(
        help="reference: images have the canvas of the true garments, ready for scoring. own: images as the authors' "
        "code writes them, for `evaluate cutout adapt`."
    ),
]
Batch = Annotated[int, typer.Option(min=1, max=1024, help="Number of photos to restore together.")]


@dataclass(frozen=True)
class _Asked:
    """The options of all methods."""

    data: str
    weights: Path
    out: Path
    split: Split
    layout: Any
    mask: Any
    limit: int | None
    canvas: Literal["reference", "own"]
    batch: int
    device: str


@dataclass(frozen=True)
class _Chosen:
    """A method, as chosen on the command line."""

    name: str
    files: Sequence[Published]
    trained_on: Sequence[str]
    adapter: str
    settings: Settings
    load: Callable[[Mapping[Published, Path], Settings, torch.device], Method[Any]]
    further: Mapping[str, str]
    """Further settings that affect the images."""
    on_gpu: str = "tf32"
    """Precision on GPUs, as in the authors' code."""


@baseline_app.command()
def tryoffdiff(
    data: Data,
    weights: Weights,
    out: Out,
    split: SplitOption = "test",
    layout: LayoutOption = "auto",
    mask: DataMask = "auto",
    limit: Limit = None,
    steps: Steps = 50,
    guidance: Guidance = 2.0,
    seed: Seed = 42,
    canvas: Canvas = "reference",
    batch: Batch = 4,
    device: DeviceOption = "auto",
) -> None:
    """Restore upper garments with TryOffDiff (arXiv 2411.18350); masks are not used."""
    from ..baselines import tryoffdiff as method
    from ..baselines.method import Settings

    settings = Settings(steps, guidance, seed)
    chosen = _Chosen("tryoffdiff", method.FILES, method.TRAINED_ON, "tryoffdiff", settings, method.load, {})
    _restore(chosen, _Asked(data, weights, out, split, layout, mask, limit, canvas, batch, device))


@baseline_app.command("tryoffdiff_v2")
def tryoffdiff_v2(
    data: Data,
    weights: Weights,
    out: Out,
    split: SplitOption = "test",
    layout: LayoutOption = "auto",
    mask: DataMask = "auto",
    limit: Limit = None,
    variant: Annotated[
        Literal["multi", "upper", "lower", "dress"], typer.Option(help="The model for all categories, or for one.")
    ] = "multi",
    steps: Steps = 20,
    guidance: Guidance = 2.5,
    seed: Seed = 42,
    canvas: Canvas = "reference",
    batch: Batch = 4,
    device: DeviceOption = "auto",
) -> None:
    """Restore garments of any category with TryOffDiff v2 (arXiv 2504.13078); masks are not used."""
    from ..baselines import tryoffdiff_v2 as method
    from ..baselines.method import Settings

    chosen = _Chosen(
        "tryoffdiff_v2",
        method.files(variant),
        method.TRAINED_ON[variant],
        "tryoffdiff",
        Settings(steps, guidance, seed),
        lambda found, settings, place: method.load(found, settings, place, variant),
        {"variant": variant},
    )
    _restore(chosen, _Asked(data, weights, out, split, layout, mask, limit, canvas, batch, device))


@baseline_app.command()
def tryoffanyone(
    data: Data,
    weights: Weights,
    out: Out,
    masks: Annotated[
        Path | None,
        typer.Option(
            help="Folder of garment masks named like the photos, for example unpacked from masks.zip.",
            show_default="found by the human parser segformer_b3_clothes in the weights folder",
        ),
    ] = None,
    split: SplitOption = "test",
    layout: LayoutOption = "auto",
    mask: DataMask = "auto",
    limit: Limit = None,
    steps: Steps = 50,
    guidance: Guidance = 2.5,
    seed: Seed = 36,
    canvas: Canvas = "reference",
    batch: Batch = 4,
    device: DeviceOption = "auto",
) -> None:
    """Restore upper garments with TryOffAnyone (arXiv 2412.08573)."""
    from igr_core.segmentation.human_parser import HumanParser

    from ..baselines import tryoffanyone as method
    from ..baselines.garment_masks import PARSER, MaskFolder, ParsedMasks
    from ..baselines.method import Settings
    from ..evaluation.images.cutout_settings import named
    from ..evaluation.images.folders import images_in

    given = None if masks is None else MaskFolder(masks)

    def load(found: Mapping[Published, Path], settings: Settings, place: torch.device) -> Method[Any]:
        source = given or ParsedMasks(HumanParser.from_folder(found[PARSER[0]].parent, place))
        return method.load(found, source, settings, place)

    chosen = _Chosen(
        "tryoffanyone",
        (*method.FILES, *(() if given else PARSER)),
        method.TRAINED_ON,
        "tryoffanyone",
        Settings(steps, guidance, seed),
        load,
        {"masks": "parser" if masks is None else named(masks, images_in(masks).values())},
        "bf16",
    )
    _restore(chosen, _Asked(data, weights, out, split, layout, mask, limit, canvas, batch, device))


@cutout_app.command()
def segment(
    pictures: Annotated[
        Path, typer.Argument(help="Folder of photos of dressed people, matched by name regardless of extension.")
    ],
    masks: Annotated[
        Path,
        typer.Option(
            help="Folder of rough garment masks, matched by name regardless of extension; or one file for all photos, "
            "if the garment is in the same position in all of them."
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
    """Cut garments out of photos of dressed people, and put them on white, for CFLD, OOTDiffusion and IDM-VTON.

    In the paper, the garment is put on a frontal model (OOTDiffusion, IDM-VTON), or the person is turned to a frontal
    pose (CFLD). If the model or pose is the same in all photos, one garment mask works for all of them.
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


@cutout_app.command()
def adapt(
    results: Annotated[
        Path, typer.Argument(help="Folder of a method's results, matched by name regardless of extension.")
    ],
    method: Annotated[Literal["tryoffdiff", "tryoffanyone"], typer.Option(help="Method that produced them.")],
    reference: Annotated[
        Path, typer.Option(help="Folder of the ground-truth garments, matched by name regardless of extension.")
    ],
    out: Out,
    overwrite: Overwrite = False,
) -> None:
    """Undo TryOffDiff's padding or TryOffAnyone's stretching, so that images match their references' canvas."""
    from ..evaluation.images.adapters import adapted
    from ..evaluation.images.cutout import Task, plan_adapt, work_through
    from ..evaluation.images.subjects import save_picture

    tasks = plan_adapt(results, reference, out, echo)

    def write(task: Task) -> None:
        save_picture(task.out, adapted(task.picture, method, task.beside))

    settings = {"command": "adapt", "method": method}
    report = work_through(tasks, lambda: write, overwrite, "adapting", settings)
    _tell(report, "adapted")


def _restore(chosen: _Chosen, asked: _Asked) -> None:
    """Check the files, print their licences, and restore the data set."""
    import torch

    from igr_core.device import choose_device

    from ..baselines.running import Run, other_categories, restore_all
    from ..baselines.weights import find, hashes, terms
    from ..data.opening import DataSetConfig, build_source
    from ..evaluation.images.claims import described_data

    if any(asked.out.exists() and asked.out.samefile(one) for one in (*subfolders(asked.data), asked.weights)):
        raise UsageError(f"--out {asked.out} is also an input folder: choose another one.")
    found = find(asked.weights, chosen.files)
    echo("Licences of the weights:")
    for line in terms(chosen.files):
        echo(f"  {line}")
    place = choose_device(asked.device)
    config = DataSetConfig(asked.data, asked.layout, asked.split, asked.mask, keep_leaks=True, limit=asked.limit)
    source = build_source(config)
    if note := other_categories(source, chosen.trained_on):
        echo(note, err=True)
    described = {
        "method": chosen.name,
        "weights": hashes(found),
        **asdict(chosen.settings),
        **chosen.further,
        "canvas": asked.canvas,
        "precision": chosen.on_gpu if place.type == "cuda" else "fp32",
        "data": described_data(config, source),
    }
    if place.type == "cuda":
        torch.set_float32_matmul_precision("high")  # TF32, as in the authors' code
    run = Run(source, asked.out, chosen.adapter, asked.canvas, asked.batch)
    with explain_out_of_memory("choose a smaller --batch, or use --device cpu"):
        report = restore_all(run, described, lambda: chosen.load(found, chosen.settings, place))
    _tell(report, "restored")


def _tell(report: Report, word: str) -> None:
    echo(f"{len(report.done)} {word}, {len(report.skipped)} already done, {len(report.failed)} failed.")
    for name, sentence in report.failed.items():
        echo(f"Failed: {name}: {sentence}", err=True)
    if report.failed:
        raise typer.Exit(1)
