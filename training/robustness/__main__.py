"""How careful must a mask be? `python -m training.robustness run | plot | examples`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from igr_core.demo_bundle import DEMO_BUNDLE

from ..command import one_sentence
from .measuring import Plan, measure
from .results import robustness_table

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
PLAN = Plan()


@app.command()
def run(
    out: Annotated[Path, typer.Option(help="Folder for results and restored garments; run again to go on.")],
    bundle: Annotated[Path, typer.Argument(help="Bundle to restore with.", show_default="the demo")] = DEMO_BUNDLE,
    count: Annotated[int, typer.Option(min=3, help="Held-out photos; rounded up to as many of each category.")] = (
        PLAN.photos
    ),
    steps: Annotated[int, typer.Option(min=1, help="DDIM steps.")] = PLAN.steps,
    guidance: Annotated[float, typer.Option(min=1, help="Guidance scale (Eq. 2).")] = PLAN.guidance,
    seed: Annotated[int, typer.Option(min=0, help="Noise seed of the first photo.")] = PLAN.noise_seed,
) -> None:
    """Restore held-out photos from masks spoiled in four ways and five degrees each, and score the garments."""
    with one_sentence():
        plan = Plan(count, PLAN.start, steps, guidance, seed)
        typer.echo(robustness_table(measure(bundle, out, plan)))
    typer.echo(str(out / "robustness.json"))


if __name__ == "__main__":
    app()
