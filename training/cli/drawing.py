"""Draw pairs, also small data sets in the published layouts, and look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from igr_core.errors import IGRError
from igr_core.model.config import ViewConfig
from igr_core.photo.inputs import parse_size

from ..data.caches.drawn import HELD_OUT_START, DrawConfig, draw_shards
from ..data.caches.dressed import dress_shards, rendered_count
from ..data.fixtures import FIXTURES, write_fixture
from ..data.opening import LAYOUTS
from ..data.rendered_fixtures import RenderedMaker
from ..data.synthetic import make_pair
from ..data.synthetic.compose import check_options
from ..data.synthetic.defects import DEFECTS
from ..data.synthetic.sheet import resized, write_pairs, write_sheets
from .commands import KindOption, RecordsOption, RenderedShareOption

AS_DEMO = DrawConfig()
KINDS = ("drawn", "rendered", "mixed")
"""What pairs may be."""


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def draw(
    out: Annotated[Path, typer.Option(help="Folder of the shards; an existing one grows.")],
    count: Annotated[int, typer.Option(min=1, help="Pairs in the folder when done.")],
    kind: KindOption = None,
    records: RecordsOption = None,
    rendered_share: RenderedShareOption = None,
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
    keep_defects: Annotated[
        bool, typer.Option("--keep-defects", help="Dress photos that were rendered with a defect on purpose, too.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes that draw.")] = 2,
    shard_size: Annotated[int, typer.Option(min=1, help="Pairs per file.")] = 250,
) -> None:
    """Draw person / garment pairs once into OUT; run it again with a larger count to add more.

    Rendered pairs are each photo of the records dressed once, then each anew, until there are enough.
    """
    kind = kind or "drawn"
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
    rendered = rendered_count(kind, count, 0.5 if rendered_share is None else rendered_share)
    now = 0
    if rendered < count:
        now += draw_shards(out, count - rendered, start, config, workers, shard_size)
    if rendered and records is not None:
        now += dress_shards(out, records, rendered, config, workers, shard_size, keep_defects)
    typer.echo(f"{out}: {count} pairs, {now} of them drawn now.")


def fixture(
    layout: Annotated[str, typer.Argument(help=f"One of {', '.join(FIXTURES)}.")],
    out: Annotated[Path, typer.Argument(help="Empty folder to write into.")],
    count: Annotated[int, typer.Option(min=1, help="Pairs of each split, and of each category in DressCode.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="First seed.")] = 0,
    size: Annotated[str, typer.Option(help="WxH of the pictures, 3:4.")] = "192x256",
    kind: Annotated[str, typer.Option(help="drawn, or rendered from --records.")] = "drawn",
    records: Annotated[str | None, typer.Option(help="Folder or URL of rendered records.")] = None,
) -> None:
    """Draw a small data set in exactly a published layout."""
    if kind not in ("drawn", "rendered"):
        raise IGRError(f"Unknown kind {kind!r}: choose drawn or rendered.")
    if kind == "rendered" and records is None:
        raise IGRError("--kind rendered needs --records DIR: python -m training data render DIR makes them.")
    make = make_pair if kind == "drawn" or records is None else RenderedMaker(records)
    write_fixture(layout, out, count, seed, parse_size(size, 1), make)
    typer.echo(f"{out}: drawn in the layout of {LAYOUTS[layout]}.")


def sheet(
    out: Annotated[Path, typer.Option(help="Folder for the PNG sheets.")],
    kind: Annotated[str, typer.Option(help="drawn, rendered (from --records), or mixed: half of each.")] = "drawn",
    records: Annotated[str | None, typer.Option(help="Folder or URL of rendered records.")] = None,
    show: Annotated[
        str, typer.Option(help="Of rendered ones: pairs, dressings (one photo) or photos (of each garment).")
    ] = "pairs",
    count: Annotated[int, typer.Option(help="Number of pairs, of dressings, or of garments.", min=1)] = 24,
    seed: Annotated[
        int, typer.Option(help="First seed, and number of the first rendered pair; the following count up.", min=0)
    ] = 0,
    dress_seed: Annotated[int, typer.Option(help="Seed of the clothes of rendered pairs.", min=0)] = 0,
    width: Annotated[int, typer.Option(help="Width of each picture; the height is 4/3 of it.")] = 192,
    category: Annotated[str | None, typer.Option(help="upper, lower or full; drawn if left out.")] = None,
    defect: Annotated[str | None, typer.Option(help=f"One of {', '.join(DEFECTS)}, or 'all'.")] = None,
    coarse: Annotated[float, typer.Option(help="Smallest repeat of a pattern, of the garment's length.")] = 0.0,
    columns: Annotated[int, typer.Option(help="Columns of pairs on a sheet.", min=1)] = 3,
) -> None:
    """Write contact sheets: person | mask contour | agnostic mask | garment."""
    kinds = DEFECTS if defect == "all" else (defect,)
    size = (width, width * 4 // 3)
    check_options(size, category, kinds[0])
    if kind not in ("drawn", "rendered", "mixed") or show not in ("pairs", "dressings", "photos"):
        raise IGRError(f"Unknown --kind {kind} or --show {show}: choose from what --help lists.")
    if kind == "drawn":
        for one in kinds:
            for path in write_sheets(out, count, seed, size, one, category, columns=columns, coarse=coarse):
                typer.echo(str(path))
        return
    if records is None:
        raise IGRError(f"--kind {kind} needs --records DIR: python -m training data render DIR makes them.")
    for path in _rendered(out, records, show, count if kind == "rendered" else count // 2, seed, dress_seed, width,
                          category, defect, columns):  # fmt: skip
        typer.echo(str(path))
    if kind == "mixed":
        for path in write_sheets(out, count - count // 2, seed, size, kinds[0], category, columns=columns):
            typer.echo(str(path))


def _rendered(
    out: Path,
    records: str,
    show: str,
    count: int,
    first: int,
    dress_seed: int,
    width: int,
    category: str | None,
    defect: str | None,
    columns: int,
) -> list[Path]:
    from ..data.rendered.sheet import chosen_pairs, write_dressings, write_photos

    if show == "dressings":
        return [write_dressings(out / f"dressings_{first:05d}.png", records, first, count, width, columns)]
    if show == "photos":
        return [write_photos(out / f"photos_{first:05d}.png", records, count, first, dress_seed, width, columns)]
    pairs = (resized(pair, width) for pair in chosen_pairs(records, count, first, dress_seed, category, defect))
    return write_pairs(out, pairs, f"rendered_{defect or 'clean'}", first, columns=columns)
