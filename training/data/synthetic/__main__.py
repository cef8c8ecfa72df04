"""`python -m training data sheet --out DIR`: look at the data set."""

from pathlib import Path
from typing import Annotated

import typer

from igr_core.errors import IGRError
from training.base.command import one_sentence

from .compose import check_options
from .scene import DEFECTS
from .sheet import resized, write_pairs, write_sheets

app = typer.Typer(help="The procedural person / garment data set.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """The procedural person / garment data set."""


@app.command()
@one_sentence()
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
    from ..rendered.sheet import chosen_pairs, write_dressings, write_photos

    if show == "dressings":
        return [write_dressings(out / f"dressings_{first:05d}.png", records, first, count, width, columns)]
    if show == "photos":
        return [write_photos(out / f"photos_{first:05d}.png", records, count, first, dress_seed, width, columns)]
    pairs = (resized(pair, width) for pair in chosen_pairs(records, count, first, dress_seed, category, defect))
    return write_pairs(out, pairs, f"rendered_{defect or 'clean'}", first, columns=columns)


if __name__ == "__main__":
    app()
