"""Draw the synthetic pairs that the demo is trained on: python -m training.draw --out DIR --count N."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from igr_core.config import ViewConfig
from igr_core.inputs import parse_size

from .command import one_sentence
from .data.drawn import HELD_OUT_START, DrawConfig, draw_shards

AS_DEMO = DrawConfig()


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@one_sentence()
def draw(
    out: Annotated[Path, typer.Option(help="Folder of the shards; an existing one grows.")],
    count: Annotated[int, typer.Option(min=1, help="Pairs in the folder when done.")],
    start: Annotated[int, typer.Option(min=0, help=f"First seed; held-out pairs start at {HELD_OUT_START}.")] = 0,
    size: Annotated[str, typer.Option(help="WxH of person, mask and garment: the model's native size.")] = _text(
        AS_DEMO.size
    ),
    photo_size: Annotated[str, typer.Option(help="WxH of the drawn photo that the view is cut from, 3:4.")] = _text(
        AS_DEMO.photo_size
    ),
    view: Annotated[str, typer.Option(help="whole (the paper's) or focused on the garment.")] = AS_DEMO.view.mode,
    margin: Annotated[
        float, typer.Option(min=0, help="Context around the garment, as a share of its longer side (focused).")
    ] = AS_DEMO.view.margin,
    crop: Annotated[int, typer.Option(min=1, help="Side of the crop: the image encoder's picture size.")] = (
        AS_DEMO.crop_size
    ),
    coarse: Annotated[
        float, typer.Option(min=0, max=1, help="Smallest repeat of a pattern, as a share of the garment's length.")
    ] = AS_DEMO.coarse,
    cells: Annotated[
        int | None,
        typer.Option(min=1, help="Keep where each cell of so many pixels (the VAE's downscale) lies in the photo."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that draw.")] = 2,
    shard_size: Annotated[int, typer.Option(min=1, help="Pairs per file.")] = 250,
) -> None:
    """Draw person / garment pairs once into OUT; run it again with a larger count to add more."""
    if view not in ("whole", "focused"):
        raise typer.BadParameter(f"{view!r} is neither whole nor focused.", param_hint="--view")
    mode: Literal["whole", "focused"] = view  # type: ignore[assignment]
    sizes = parse_size(size, 1), parse_size(photo_size, 1)
    config = DrawConfig(*sizes, ViewConfig(mode, margin), crop, coarse, cells=cells)
    drawn = draw_shards(out, count, start, config, workers, shard_size)
    typer.echo(f"{out}: {count} pairs, {drawn} of them drawn now.")


if __name__ == "__main__":
    typer.run(draw)
