"""Draw the synthetic pairs that the demo is trained on: python -m training data draw --out DIR --count N.

With --kind rendered they are dressed from rendered records (python -m training data render), with mixed both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from igr_core.errors import IGRError
from igr_core.model.config import ViewConfig
from igr_core.photo.inputs import parse_size

from ..base.command import one_sentence
from ..data.caches.drawn import HELD_OUT_START, DrawConfig, draw_shards
from ..data.caches.dressed import dress_shards

AS_DEMO = DrawConfig()
KINDS = ("drawn", "rendered", "mixed")
"""What pairs may be."""


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@one_sentence()
def draw(
    out: Annotated[Path, typer.Option(help="Folder of the shards; an existing one grows.")],
    count: Annotated[int, typer.Option(min=1, help="Pairs in the folder when done.")],
    kind: Annotated[str, typer.Option(help="drawn, rendered (from --records), or mixed.")] = "drawn",
    records: Annotated[
        str | None, typer.Option(help="Folder or URL of rendered records (python -m training data render).")
    ] = None,
    rendered_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the pairs of --kind mixed that are rendered.")
    ] = 0.5,
    start: Annotated[
        int, typer.Option(min=0, help=f"First seed of drawn pairs; held-out ones start at {HELD_OUT_START}.")
    ] = 0,
    size: Annotated[str, typer.Option(help="WxH of person, mask and garment: the model's native size.")] = _text(
        AS_DEMO.size
    ),
    photo_size: Annotated[str, typer.Option(help="WxH of the photo that the view is cut from, 3:4.")] = _text(
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
    correspondence: Annotated[
        bool, typer.Option("--correspondence", help="Keep where drawn garments lie in their photos, too.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes that draw.")] = 2,
    shard_size: Annotated[int, typer.Option(min=1, help="Pairs per file.")] = 250,
) -> None:
    """Draw person / garment pairs once into OUT; run it again with a larger count to add more.

    Rendered pairs are each photo of the records dressed once, then each anew, until there are enough.
    """
    if kind not in KINDS:
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(KINDS)}.", param_hint="--kind")
    if kind != "drawn" and records is None:
        raise IGRError(
            f"--kind {kind} needs --records DIR, rendered records: python -m training data render DIR makes them."
        )
    if view not in ("whole", "focused"):
        raise typer.BadParameter(f"{view!r} is neither whole nor focused.", param_hint="--view")
    mode: Literal["whole", "focused"] = view  # type: ignore[assignment]
    sizes = parse_size(size, 1), parse_size(photo_size, 1)
    config = DrawConfig(*sizes, ViewConfig(mode, margin), crop, coarse, correspondence=correspondence)
    rendered = {"drawn": 0, "rendered": count, "mixed": round(count * rendered_share)}[kind]
    now = 0
    if rendered < count:
        now += draw_shards(out, count - rendered, start, config, workers, shard_size)
    if rendered and records is not None:
        now += dress_shards(out, records, rendered, config, workers, shard_size)
    typer.echo(f"{out}: {count} pairs, {now} of them drawn now.")


if __name__ == "__main__":
    typer.run(draw)
