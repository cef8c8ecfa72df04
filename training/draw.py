"""Draw the synthetic pairs that the demo is trained on: python -m training.draw --out DIR --count N."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from igr_core.errors import IGRError

from .data.drawn import HELD_OUT_START, DrawConfig, draw_shards


def draw(
    out: Annotated[Path, typer.Option(help="Folder of the shards; an existing one grows.")],
    count: Annotated[int, typer.Option(min=1, help="Pairs in the folder when done.")],
    start: Annotated[int, typer.Option(min=0, help=f"First seed; held-out pairs start at {HELD_OUT_START}.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes that draw.")] = 2,
    shard_size: Annotated[int, typer.Option(min=1, help="Pairs per file.")] = 250,
) -> None:
    """Draw person / garment pairs once into OUT; run it again with a larger count to add more."""
    try:
        drawn = draw_shards(out, count, start, DrawConfig(), workers, shard_size)
    except IGRError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{out}: {count} pairs, {drawn} of them drawn now.")


if __name__ == "__main__":
    typer.run(draw)
