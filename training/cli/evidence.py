"""Score a bundle on held-out drawn pairs beside controls, and write the tables of the README."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer

from igr_core.errors import IGRError
from igr_core.files import make_folder

from ..base.files import write_text
from ..data.caches.drawn import DrawnPairs
from ..evaluation.evidence.curves import loss_curves
from ..evaluation.evidence.rows import HeldOut, Row, read_rows, score_bundle, score_control, write_rows
from ..evaluation.evidence.seeds import seeds_table
from ..evaluation.evidence.tables import guidance_table, results_table
from ..evaluation.markdown import fill_markers
from ..evaluation.pictures.answers import NearestGarment, crop_vectors, pasted_crop, plain_white
from ..prepared.latents import PreparedPairs
from .commands import Commands

app = typer.Typer(cls=Commands, add_completion=False, no_args_is_help=True, help=__doc__)

Bundle = Annotated[Path, typer.Option(help="Bundle to restore with (python -m training export).")]
Heldout = Annotated[Path, typer.Option(help="Folder of drawn pairs that were never trained on.")]
Count = Annotated[int, typer.Option(min=2, help="How many of them, from the first seed on.")]
Out = Annotated[Path, typer.Option(help="JSON file of the row or rows.")]
Steps = Annotated[int, typer.Option(min=1, help="DDIM steps.")]
Name = Annotated[str | None, typer.Option(help="What tables call the row; the bundle's file name by default.")]
Pictures = Annotated[Path | None, typer.Option(help="Folder for the restored garments, one SEED.png each.")]
Seed = Annotated[int, typer.Option(min=0, help="Noise seed of the first pair; the same for every row of a table.")]


@app.command()
def score(
    bundle: Bundle,
    heldout: Heldout,
    out: Out,
    count: Count = 300,
    guidance: Annotated[float, typer.Option(min=0, help="Guidance scale (Eq. 2).")] = 1.5,
    steps: Steps = 25,
    name: Name = None,
    pictures: Pictures = None,
    seed: Seed = 0,
) -> None:
    """Restore held-out pairs with a bundle and score them; run it again to go on after an interruption."""
    _score_at(bundle, heldout, out, count, [guidance], steps, name or bundle.stem, pictures, seed)


@app.command()
def sweep(
    bundle: Bundle,
    heldout: Heldout,
    out: Out,
    guidance: Annotated[str, typer.Option(help="Guidance scales, with commas between.")] = "1.0,1.5,2.0,2.5",
    count: Count = 300,
    steps: Steps = 25,
    name: Name = None,
    pictures: Pictures = None,
    seed: Seed = 0,
) -> None:
    """Score a bundle at several guidance scales (paper, Table 3); resumes as score does."""
    try:
        scales = [float(one) for one in guidance.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{guidance!r} is no list of numbers.", param_hint="--guidance") from None
    _score_at(bundle, heldout, out, count, scales, steps, name or bundle.stem, pictures, seed)


def _score_at(
    bundle: Path,
    heldout: Path,
    out: Path,
    count: int,
    scales: list[float],
    steps: int,
    name: str,
    pictures: Path | None,
    seed: int,
) -> None:
    make_folder(out.parent)
    held_out = HeldOut(heldout, count)
    rows: list[Row] = []
    partials = [out.with_name(f"{out.name}.guidance-{scale:g}.part") for scale in scales]
    for scale, partial in zip(scales, partials, strict=True):
        folder = pictures / f"guidance-{scale:g}" if pictures is not None and len(scales) > 1 else pictures
        rows.append(
            score_bundle(
                bundle,
                held_out,
                partial,
                name=name,
                guidance=scale,
                steps=steps,
                noise_seed=seed,
                pictures=folder,
            )
        )
    write_rows(out, rows)
    for partial in partials:
        partial.unlink(missing_ok=True)
    _report(rows, out)


@app.command()
def controls(
    heldout: Heldout,
    heldout_latents: Annotated[Path, typer.Option(help="The held-out pairs prepared (python -m training prepare).")],
    train: Annotated[Path, typer.Option(help="Folder of the drawn training pairs.")],
    latents: Annotated[Path, typer.Option(help="The training pairs prepared, by the same image encoder.")],
    out: Out,
    count: Count = 300,
) -> None:
    """Score what needs no model: plain white, the worn garment pasted, and the nearest training garment."""
    held_out = HeldOut(heldout, count)
    nearest = NearestGarment(PreparedPairs([latents]), DrawnPairs(train))
    vectors = _vectors_of(held_out, PreparedPairs([latents, heldout_latents]), heldout_latents)

    def paste(rows: range) -> torch.Tensor:
        return pasted_crop(held_out.take("person", rows), held_out.take("mask", rows))

    def closest(rows: range) -> torch.Tensor:
        return nearest.garments(vectors[rows], [held_out.drawn.categories[row] for row in rows])

    rows = [
        score_control("plain white", held_out, lambda rows: plain_white(held_out.take("garment", rows))),
        score_control("worn garment pasted", held_out, paste),
        score_control("nearest training garment", held_out, closest),
    ]
    write_rows(out, rows)
    _report(rows, out)


def _vectors_of(held_out: HeldOut, both: PreparedPairs, folder: Path) -> torch.Tensor:
    """Crop vectors (N, D) of the held-out pairs; `both` holds them beside the training pairs, so encoders agree."""
    places = {seed: row for row, seed in enumerate(both.seeds())}
    missing = [seed for seed in held_out.drawn.seeds if seed not in places]
    if missing:
        raise IGRError(f"{folder} lacks {len(missing)} of the held-out pairs (seed {missing[0]}): prepare them too.")
    return crop_vectors(both, [places[seed] for seed in held_out.drawn.seeds])


@app.command()
def table(
    files: Annotated[list[Path], typer.Argument(help="JSON files of score, controls or sweep, in the table's order.")],
    out: Annotated[Path, typer.Option(help="Markdown file of the table.")],
    by_guidance: Annotated[bool, typer.Option(help="One line per guidance scale (for a sweep).")] = False,
    against: Annotated[str | None, typer.Option(help="Row whose texture lead over each other row is shown.")] = None,
    into: Annotated[list[Path] | None, typer.Option(help="Page whose markers get the table; may be repeated.")] = None,
    marker: Annotated[
        str | None, typer.Option(help="NAME of <!-- evidence:NAME -->; the file's name by default.")
    ] = None,
) -> None:
    """Write a table of rows, and put it into pages between their markers."""
    rows = read_rows(files)
    text = guidance_table(rows) if by_guidance else results_table(rows, against)
    make_folder(out.parent)
    write_text(out, text)
    for page in into or ():
        fill_markers(page, marker or out.stem, text)
    typer.echo(text)


@app.command()
def seeds(
    files: Annotated[list[Path], typer.Argument(help="JSON files of score: each row once per training seed.")],
    out: Annotated[Path, typer.Option(help="Markdown file of the table.")],
    against: Annotated[str, typer.Option(help="Row that every other one is compared with.")],
    into: Annotated[list[Path] | None, typer.Option(help="Page whose markers get the table; may be repeated.")] = None,
) -> None:
    """Write a table of rows that were trained with several seeds, and put it into pages between their markers."""
    text = seeds_table(read_rows(files), against)
    make_folder(out.parent)
    write_text(out, text)
    for page in into or ():
        fill_markers(page, out.stem, text)
    typer.echo(text)


@app.command()
def curves(
    runs: Annotated[list[Path], typer.Argument(help="Run folders of python -m training train.")],
    out: Annotated[Path, typer.Option(help="PNG file.")],
) -> None:
    """Draw loss and held-out losses, conditions substituted, of training runs."""
    loss_curves(runs, out)
    typer.echo(str(out))


def _report(rows: list[Row], out: Path) -> None:
    for row in rows:
        means = ", ".join(f"{name} {found.mean:.3f}" for name, found in row.metrics.items())
        typer.echo(f"{row.name}: {means}")
    typer.echo(str(out))
