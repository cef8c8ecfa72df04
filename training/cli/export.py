"""From a run to a bundle, and from a bundle to its parts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from igr_core.demo import DEMO_BUNDLE
from igr_core.model.bundle import Bundle

from ..bundles.export import PRECISIONS, export_run
from ..bundles.unpack import PARTS, unpack_part


def export(
    run: Annotated[Path, typer.Argument(help="Run folder of python -m training train.")],
    out: Annotated[Path, typer.Option(help="Bundle to write (.safetensors).")],
    name: Annotated[str, typer.Option(help="What the model is called.")],
    data: Annotated[str, typer.Option(help="What it was trained on, in words.")],
    licence: Annotated[str, typer.Option(help="Licence of the weights.")] = "Apache-2.0",
    precision: Annotated[str, typer.Option(help="fp32, fp16 or bf16.")] = "fp16",
    scores: Annotated[
        Path | None, typer.Option(help="Scores of the same export (python -m training evidence score), put into it.")
    ] = None,
) -> None:
    """Write the averaged weights of a run's newest checkpoint as one bundle."""
    if precision not in PRECISIONS:
        raise typer.BadParameter(f"{precision!r} is none of {', '.join(PRECISIONS)}.", param_hint="--precision")
    path = export_run(run, out, name, licence, precision, data, scores)
    typer.echo(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


def unpack(
    bundle: Annotated[Path, typer.Argument(help="The bundle.", show_default="the demo")] = DEMO_BUNDLE,
    out: Annotated[Path, typer.Option(help="Folder that gets one folder for each part.")] = Path("runs"),
    part: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(PARTS)}; all if left out.")] = None,
) -> None:
    """Write the frozen parts of BUNDLE as train-vae and train-image-encoder write theirs."""
    for name in part or PARTS:
        if name not in PARTS:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(PARTS)}.", param_hint="--part")
    opened = Bundle.open(bundle)
    for name in part or PARTS:
        typer.echo(str(unpack_part(opened, name, out)))
