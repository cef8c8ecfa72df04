"""Fit the readout of a bundle's attention, and measure its accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .commands import Commands, DeviceOption, out_file

app = typer.Typer(cls=Commands, add_completion=False, no_args_is_help=True, help=__doc__)

BundleArgument = Annotated[Path, typer.Argument(help="Bundle with its VAE and image encoder.")]
PairsOption = Annotated[
    list[Path], typer.Option(help="Folder of prepared pairs with correspondences; may be repeated.")
]
StepsOption = Annotated[int, typer.Option(min=1, max=10_000, help="DDIM steps per run.")]
GuidanceOption = Annotated[float, typer.Option(min=1, max=100, help="Guidance scale (Eq. 2).")]


@app.command()
def fit(
    bundle: BundleArgument,
    pairs: PairsOption,
    out: Annotated[Path, typer.Option(help="Bundle to write: the same with the fitted readout.", callback=out_file)],
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
    from igr_core.restore.restorer import GarmentRestorer

    from ..detail.fitting import fit_detail, write_fitted
    from ..detail.runs import Sampling
    from ..prepared.latents import PreparedPairs

    restorer = GarmentRestorer.from_bundle(bundle, choose_device(device))
    data = PreparedPairs(pairs)
    with tqdm(total=min(count, len(data)) + min(runs, len(data)), unit="pair") as bar:
        fitted = fit_detail(restorer, data, count, runs, Sampling(steps, guidance, seed), bar.update)
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
    """Restore held-out pairs, and compare the positions and the evidence read from attention with the truth."""
    from tqdm import tqdm

    from igr_core.device import choose_device
    from igr_core.restore.restorer import GarmentRestorer

    from ..detail.measuring import detail_table, measure_detail, write_scores
    from ..detail.runs import Sampling
    from ..prepared.latents import PreparedPairs

    restorer = GarmentRestorer.from_bundle(bundle, choose_device(device))
    data = PreparedPairs(pairs)
    with tqdm(total=min(count, len(data)), unit="pair") as bar:
        scores = measure_detail(restorer, data, count, Sampling(steps, guidance, seed), bar.update)
    if out is not None:
        write_scores(out, scores)
    typer.echo(detail_table(scores))
