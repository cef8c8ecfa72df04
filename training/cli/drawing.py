"""Draw pairs, small data sets in published layouts, and contact sheets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from igr_core.errors import IGRError, UsageError
from igr_core.model.config import ViewConfig
from igr_core.text import counted

from ..data.caches.draw_config import DrawConfig
from ..data.contract.seeds import HELD_OUT_START
from ..data.layouts.names import LAYOUTS
from ..data.synthetic.defects import DEFECTS
from .commands import KindOption, RecordsOption, RenderedShareOption, ViewOption, out_folder, size_option

DEFAULTS = DrawConfig()


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def draw(
    out: Annotated[Path, typer.Option(help="Folder for the shards; an existing one is extended.", callback=out_folder)],
    count: Annotated[int, typer.Option(min=1, max=10_000_000, help="Total number of pairs in the folder.")],
    kind: KindOption = None,
    records: RecordsOption = None,
    rendered_share: RenderedShareOption = None,
    start: Annotated[
        int,
        typer.Option(min=0, max=10**9, help=f"First seed of drawn pairs; held-out seeds start at {HELD_OUT_START}."),
    ] = 0,
    size: Annotated[
        str, typer.Option(help="Size of person, mask and garment as WxH; use the model's native size.")
    ] = _text(DEFAULTS.size),
    photo_size: Annotated[
        str, typer.Option(help="Size of the photo as WxH before cropping to the view, with aspect ratio 3:4.")
    ] = _text(DEFAULTS.photo_size),
    view: ViewOption = DEFAULTS.view.mode,
    margin: Annotated[
        float,
        typer.Option(
            min=0,
            max=10,
            help="Context around the garment in a focused view, as a fraction of the garment's longer side.",
        ),
    ] = DEFAULTS.view.margin,
    crop: Annotated[
        int, typer.Option(min=1, max=2048, help="Side of the crop in pixels, as for the image encoder.")
    ] = DEFAULTS.crop_size,
    coarse: Annotated[
        float, typer.Option(min=0, max=1, help="Smallest pattern repeat, as a fraction of the garment's length.")
    ] = DEFAULTS.coarse,
    correspondence: Annotated[
        bool, typer.Option("--correspondence", help="Also store the correspondence between each garment and its photo.")
    ] = False,
    keep_defects: Annotated[
        bool, typer.Option("--keep-defects", help="Also use photos that were rendered with a deliberate defect.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=1024, help="Number of processes.")] = 2,
    shard_size: Annotated[int, typer.Option(min=1, max=10_000_000, help="Pairs per shard.")] = 250,
) -> None:
    """Draw pairs of person and garment, and store them in OUT; run again with a larger count to add more.

    For rendered pairs, each photo in the records is dressed once, then again in other clothes until there are enough.
    """
    from ..data.caches.drawn import draw_shards
    from ..data.caches.dressed import dress_shards, rendered_count

    kind = kind or "drawn"
    _check_records(kind, records)
    _check_seeds(kind, start, count)
    sizes = size_option("--size", size), size_option("--photo-size", photo_size)
    config = DrawConfig(*sizes, ViewConfig(view, margin), crop, coarse, correspondence=correspondence)
    rendered = rendered_count(kind, count, 0.5 if rendered_share is None else rendered_share)
    before = _pairs_in(out)
    if rendered < count:
        draw_shards(out, count - rendered, start, config, workers, shard_size)
    if rendered and records is not None:
        dress_shards(out, records, rendered, config, workers, shard_size, keep_defects)
    _report(out, count, before)


def _check_seeds(kind: str, start: int, count: int) -> None:
    if start < HELD_OUT_START < start + count and kind != "rendered":
        raise UsageError(
            f"Seeds {start} to {start + count - 1} are partly held out: stay below {HELD_OUT_START} to train on the "
            "pairs, or start there to measure on them."
        )


def _report(out: Path, count: int, before: int) -> None:
    now = _pairs_in(out)
    if now > count:
        typer.echo(f"Note: {out} already contains more pairs than --count {count}, and all of them are used.", err=True)
    typer.echo(f"{out}: {counted(now, 'pair')}, {now - before:,} new.")


def _pairs_in(folder: Path) -> int:
    """Number of drawn and rendered pairs in a folder."""
    from ..data.caches.drawn import DrawnPairs

    return len(DrawnPairs(folder)) if any(folder.glob("pairs-*.safetensors")) else 0


def fixture(
    layout: Annotated[
        Literal["viton_hd", "dresscode", "streettryon", "folder"], typer.Argument(help="Layout to draw.")
    ],
    out: Annotated[Path, typer.Argument(help="Empty folder to write to.", callback=out_folder)],
    count: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="Pairs per split, and per category for DressCode.")
    ] = 6,
    seed: Annotated[int, typer.Option(min=0, max=10**9, help="First seed.")] = 0,
    size: Annotated[str, typer.Option(help="Size of the images as WxH, with aspect ratio 3:4.")] = "192x256",
    kind: Annotated[
        Literal["drawn", "rendered"], typer.Option(help="Type of pairs; rendered ones need --records.")
    ] = "drawn",
    records: Annotated[str | None, typer.Option(help="Folder or URL of rendered records.")] = None,
) -> None:
    """Draw a small data set in a published layout."""
    from ..data.fixtures import write_fixture
    from ..data.rendered_fixtures import RenderedMaker
    from ..data.synthetic import make_pair

    _check_records(kind, records)
    make = make_pair if kind == "drawn" or records is None else RenderedMaker(records)
    write_fixture(layout, out, count, seed, size_option("--size", size), make)
    typer.echo(f"{out}: drawn in the layout of {LAYOUTS[layout]}.")


def sheet(
    out: Annotated[Path, typer.Option(help="Folder for the PNG sheets.", callback=out_folder)],
    kind: KindOption = "drawn",
    records: Annotated[str | None, typer.Option(help="Folder or URL of rendered records.")] = None,
    show: Annotated[
        Literal["pairs", "dressings", "photos"],
        typer.Option(help="Show rendered pairs, dressings of one photo, or all photos of each garment."),
    ] = "pairs",
    count: Annotated[int, typer.Option(help="Number of pairs, dressings or garments.", min=1, max=10_000_000)] = 24,
    seed: Annotated[int, typer.Option(help="First seed, and index of the first rendered pair.", min=0, max=10**9)] = 0,
    dress_seed: Annotated[int, typer.Option(help="Seed for the clothes in rendered pairs.", min=0, max=2**63 - 1)] = 0,
    width: Annotated[int, typer.Option(min=24, max=2048, help="Width of each image; the height is 4/3 of it.")] = 192,
    category: Annotated[str | None, typer.Option(help="upper, lower or full; random by default.")] = None,
    defect: Annotated[str | None, typer.Option(help=f"One of {', '.join(DEFECTS)}, or 'all'.")] = None,
    coarse: Annotated[
        float, typer.Option(help="Smallest pattern repeat, as a fraction of the garment's length.")
    ] = 0.0,
    columns: Annotated[int, typer.Option(help="Number of pairs per row of a sheet.", min=1, max=64)] = 3,
) -> None:
    """Write contact sheets that show person, mask contour, agnostic mask and garment."""
    from ..data.synthetic.compose import check_options
    from ..data.synthetic.sheet import write_sheets

    kinds = DEFECTS if defect == "all" else (defect,)
    size = (width, width * 4 // 3)
    check_options(size, category, kinds[0])
    _check_records(kind, records)
    if kind == "drawn":
        for one in kinds:
            for path in write_sheets(out, count, seed, size, one, category, columns=columns, coarse=coarse):
                typer.echo(str(path))
        return
    for path in _rendered(out, str(records), show, count if kind == "rendered" else count // 2, seed, dress_seed, width,
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
    from ..data.synthetic.sheet import resized, write_pairs

    if show == "dressings":
        return [write_dressings(out / f"dressings_{first:05d}.png", records, first, count, width, columns)]
    if show == "photos":
        return [write_photos(out / f"photos_{first:05d}.png", records, count, first, dress_seed, width, columns)]
    pairs = (resized(pair, width) for pair in chosen_pairs(records, count, first, dress_seed, category, defect))
    return write_pairs(out, pairs, f"rendered_{defect or 'clean'}", first, columns=columns)


def _check_records(kind: str, records: str | None) -> None:
    if kind != "drawn" and records is None:
        raise IGRError(f"--kind {kind} needs --records DIR: render them with `python -m training data render DIR`.")
