"""Measure and plot how inaccurate masks affect the result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from igr_core.included import INCLUDED_BUNDLE

from ..robustness.plan import KEPT, RESULT, Plan
from .commands import JPEG, PNG, Commands, out_folder

app = typer.Typer(cls=Commands, add_completion=False, no_args_is_help=True, help=__doc__)
PLAN = Plan()


@app.command()
def run(
    out: Annotated[
        Path, typer.Option(help="Folder for results and restored garments; run again to resume.", callback=out_folder)
    ],
    bundle: Annotated[Path, typer.Argument(help="Bundle to restore with.", show_default="igr-small")] = INCLUDED_BUNDLE,
    count: Annotated[
        int,
        typer.Option(
            min=3, max=10_000_000, help="Number of held-out photos, rounded up to equal numbers per category."
        ),
    ] = (PLAN.photos),
    steps: Annotated[int, typer.Option(min=1, max=10_000, help="DDIM steps.")] = PLAN.steps,
    guidance: Annotated[float, typer.Option(min=1, max=100, help="Guidance scale (Eq. 2).")] = PLAN.guidance,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Noise seed of the first photo.")] = PLAN.noise_seed,
) -> None:
    """Restore held-out photos from masks corrupted in four ways, to five IoUs each, and score the garments."""
    from ..robustness.measuring import measure
    from ..robustness.results import robustness_table

    plan = Plan(count, PLAN.start, steps, guidance, seed)
    typer.echo(robustness_table(measure(bundle, out, plan)))
    typer.echo(str(out / RESULT))


@app.command()
def plot(
    out: Annotated[Path, typer.Argument(help="PNG file.", callback=PNG)],
    result: Annotated[Path, typer.Option(help="JSON file of a run.", show_default="the reported one")] = KEPT,
) -> None:
    """Plot scores against the IoU of the mask."""
    from ..robustness.plots import draw_robustness
    from ..robustness.results import read_robustness

    draw_robustness(out, read_robustness(result))
    typer.echo(str(out))


@app.command()
def examples(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")],
    out: Annotated[Path, typer.Argument(help="JPEG file.", callback=JPEG)],
    seed: Annotated[int | None, typer.Option(help="Photo to show.", show_default="the first")] = None,
) -> None:
    """Show one person with corrupted masks, and the garment restored from each mask."""
    from ..robustness.examples import draw_examples
    from ..robustness.results import read_robustness

    draw_examples(out, read_robustness(folder / RESULT), folder / "garments", seed)
    typer.echo(str(out))
