"""Fit the readout of a bundle's attention, and measure its accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..base.outputs import check_bundle_kept, check_kept
from .commands import Changes, Commands, DeviceOption, out_file, picture_file, size_option

app = typer.Typer(cls=Commands, add_completion=False, no_args_is_help=True, help=__doc__)

BundleArgument = Annotated[Path, typer.Argument(help="Bundle with its VAE and image encoder.")]
PairsOption = Annotated[
    list[Path], typer.Option(help="Folder of prepared pairs with correspondences; may be repeated.")
]
IMAGE = picture_file(".png", ".jpg", ".jpeg")
SHEET_ROWS = 12
"""Number of garments on a sheet."""
StepsOption = Annotated[int, typer.Option(min=1, max=10_000, help="DDIM steps per run.")]
GuidanceOption = Annotated[float, typer.Option(min=1, max=100, help="Guidance scale (Eq. 2).")]


@app.command()
def fit(
    bundle: BundleArgument,
    pairs: PairsOption,
    out: Annotated[Path, typer.Option(help="Bundle to write: a copy with the fitted readout.", callback=out_file)],
    count: Annotated[
        int, typer.Option(min=2, max=10_000_000, help="Number of pairs to fit the heads to, starting with the first.")
    ] = 200,
    runs: Annotated[
        int, typer.Option(min=2, max=10_000_000, help="Number of pairs to restore for the evidence.")
    ] = 100,
    steps: StepsOption = 10,
    guidance: GuidanceOption = 1.5,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of the noise.")] = 0,
    device: DeviceOption = "cpu",
) -> None:
    """Choose and weight the attention heads, fit the evidence, and store both in a copy of the bundle."""
    from tqdm import tqdm

    from igr_core.device import choose_device
    from igr_core.files import make_folder
    from igr_core.restore.restorer import GarmentRestorer
    from igr_core.sampling.presets import Sampling

    from ..base.files import check_space
    from ..detail.fitting import fit_detail, write_fitted
    from ..detail.runs import RunSettings
    from ..prepared.latents import PreparedPairs

    check_bundle_kept(out, [], pairs)
    restorer = GarmentRestorer.from_bundle(bundle, choose_device(device))
    data = PreparedPairs(pairs)
    make_folder(out.parent)
    check_space(out.parent, bundle.stat().st_size, "The bundle")
    with tqdm(total=min(count, len(data)) + min(runs, len(data)), unit="pair") as bar:
        fitted = fit_detail(restorer, data, count, runs, RunSettings(Sampling(steps, guidance), seed), bar.update)
    write_fitted(bundle, out, fitted.detail)
    typer.echo(fitted.summary)
    typer.echo(str(out))


@app.command()
def measure(
    bundle: BundleArgument,
    pairs: PairsOption,
    count: Annotated[int, typer.Option(min=2, max=10_000_000, help="Number of pairs, starting with the first.")] = 300,
    steps: StepsOption = 10,
    guidance: GuidanceOption = 1.5,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of the noise.")] = 0,
    device: DeviceOption = "cpu",
    out: Annotated[Path | None, typer.Option(help="JSON file for the scores.", callback=out_file)] = None,
) -> None:
    """Restore held-out pairs, and compare positions and evidence from the attention with the ground truth."""
    from tqdm import tqdm

    from igr_core.device import choose_device
    from igr_core.restore.restorer import GarmentRestorer
    from igr_core.sampling.presets import Sampling

    from ..detail.kept import Kept, Measured, table_of, write_kept
    from ..detail.measuring import measure_detail
    from ..detail.runs import RunSettings
    from ..prepared.latents import PreparedPairs

    if out is not None:
        check_kept(out, "--out", [bundle], pairs)
    restorer = GarmentRestorer.from_bundle(bundle, choose_device(device))
    data, settings = PreparedPairs(pairs), RunSettings(Sampling(steps, guidance), seed)
    with tqdm(total=min(count, len(data)), unit="pair") as bar:
        scores = measure_detail(restorer, data, count, settings, bar.update)
    kept = Kept(Measured.of(bundle, f"prepared pairs of {', '.join(one.name for one in pairs)}", settings), scores)
    if out is not None:
        write_kept(out, kept)
    typer.echo(table_of(kept))


@app.command()
def lettering(
    bundle: BundleArgument,
    data: Annotated[
        Path,
        typer.Option(
            help="YAML file with the fields of PairsConfig for drawn or rendered pairs, whose words are known."
        ),
    ],
    count: Annotated[int, typer.Option(min=2, max=10_000_000, help="Number of garments with lettering.")] = 100,
    size: Annotated[str, typer.Option(help="Size of the images that words are read in, as WxH.")] = "768x1024",
    steps: StepsOption = 25,
    guidance: GuidanceOption = 1.5,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of the first pair's noise.")] = 0,
    device: DeviceOption = "cpu",
    changes: Changes = None,
    out: Annotated[Path | None, typer.Option(help="JSON file for the scores.", callback=out_file)] = None,
    sheet: Annotated[Path | None, typer.Option(help="Image of the first garments.", callback=IMAGE)] = None,
) -> None:
    """Count the printed words that OCR finds in photos, in restored garments, and in garments with details."""
    from tqdm import tqdm

    from igr_core.device import choose_device
    from igr_core.photo.images import save_image
    from igr_core.restore.restorer import GarmentRestorer
    from igr_core.sampling.presets import Sampling

    from ..base.config_files import load_config
    from ..data.opening import open_data_set
    from ..detail.kept import Kept, Measured, table_of, write_kept
    from ..detail.lettering import WordReader, lettered, read_lettering, score_lettering, sheet_of
    from ..detail.runs import RunSettings
    from ..evaluation.images.subjects import Subjects
    from ..prepared.selection import PairsConfig

    for path, option in ((out, "--out"), (sheet, "--sheet")):
        if path is not None:
            check_kept(path, option, [bundle, data])
    reader, wanted = WordReader(), size_option("--size", size)
    settings = RunSettings(Sampling(steps, guidance), seed)
    subjects = Subjects(open_data_set(load_config(PairsConfig, data, changes or ()).data))
    restorer = GarmentRestorer.from_bundle(bundle, choose_device(device))
    with tqdm(total=len(subjects), desc="looking for words", unit="pair", leave=False) as bar:
        rows = lettered(subjects, count, bar.update)
    read, shown = [], []
    for found, images in tqdm(
        read_lettering(restorer, subjects, rows, reader, wanted, settings),
        total=len(rows),
        unit="garment",
    ):
        read.append(found)
        if sheet is not None and len(shown) < SHEET_ROWS:
            shown.append(images)
    kept = Kept(Measured.of(bundle, subjects.source.title, settings), score_lettering(read, wanted))
    if out is not None:
        write_kept(out, kept)
    if sheet is not None:
        save_image(sheet, sheet_of(shown, wanted))
    typer.echo(table_of(kept))


@app.command()
def cost(
    bundle: BundleArgument,
    data: Annotated[Path, typer.Option(help="YAML file with the fields of PairsConfig.")],
    size: Annotated[str, typer.Option(help="WxH to enlarge the garment to.")] = "768x1024",
    rounds: Annotated[
        int, typer.Option(min=1, max=1000, help="Number of rounds after a warm-up; each restores one pair.")
    ] = 5,
    device: DeviceOption = "cpu",
    changes: Changes = None,
    out: Annotated[Path | None, typer.Option(help="JSON file for the measurements.", callback=out_file)] = None,
) -> None:
    """Measure the CPU time of evidence and details, as a fraction of a restoration's CPU time."""
    from tqdm import tqdm

    from igr_core.device import choose_device
    from igr_core.restore.restorer import GarmentRestorer
    from igr_core.sampling.presets import Sampling

    from ..base.config_files import load_config
    from ..data.opening import open_data_set
    from ..detail.cost import STEPS, measure_cost
    from ..detail.kept import Kept, Measured, table_of, write_kept
    from ..detail.runs import RunSettings
    from ..evaluation.images.subjects import Subjects
    from ..prepared.selection import PairsConfig

    if out is not None:
        check_kept(out, "--out", [bundle, data])
    wanted = size_option("--size", size)
    subjects = Subjects(open_data_set(load_config(PairsConfig, data, changes or ()).data))
    restorer = GarmentRestorer.from_bundle(bundle, choose_device(device))
    with tqdm(total=rounds, unit="pair") as bar:
        found = measure_cost(restorer, subjects, wanted, rounds, bar.update)
    kept = Kept(Measured.of(bundle, subjects.source.title, RunSettings(Sampling(STEPS))), found)
    if out is not None:
        write_kept(out, kept)
    typer.echo(table_of(kept))


@app.command()
def sheet(
    bundle: BundleArgument,
    data: Annotated[Path, typer.Option(help="YAML file with the fields of PairsConfig.")],
    out: Annotated[Path, typer.Option(help="Image to write (.jpg or .png).", callback=IMAGE)],
    count: Annotated[int, typer.Option(min=1, max=1000, help="Number of pairs, spread evenly over the data.")] = 12,
    size: Annotated[str, typer.Option(help="WxH of each image.")] = "192x256",
    steps: StepsOption = 25,
    guidance: GuidanceOption = 1.5,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of the first pair's noise.")] = 0,
    device: DeviceOption = "cpu",
    changes: Changes = None,
) -> None:
    """Show photos, restored garments, evidence, details and the ground truth side by side."""
    from tqdm import tqdm

    from igr_core.device import choose_device
    from igr_core.files import atomic_file, make_folder
    from igr_core.restore.restorer import GarmentRestorer
    from igr_core.sampling.presets import Sampling

    from ..base.config_files import load_config
    from ..data.opening import open_data_set
    from ..detail.runs import RunSettings
    from ..detail.sheet import detail_sheet
    from ..evaluation.images.subjects import Subjects
    from ..prepared.selection import PairsConfig

    wanted = size_option("--size", size)
    subjects = Subjects(open_data_set(load_config(PairsConfig, data, changes or ()).data))
    restorer = GarmentRestorer.from_bundle(bundle, choose_device(device))
    number = min(count, len(subjects))
    rows = [place * len(subjects) // number for place in range(number)]
    settings = RunSettings(Sampling(steps, guidance), seed)
    with tqdm(total=number, unit="pair") as bar:
        image = detail_sheet(restorer, subjects, rows, wanted, settings, progress=bar.update)
    make_folder(out.parent)
    with atomic_file(out) as temporary:
        image.save(temporary, format="PNG" if out.suffix.lower() == ".png" else "JPEG", quality=90, optimize=True)
    typer.echo(str(out))
