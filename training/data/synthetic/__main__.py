"""`python -m training.data.synthetic sheet --out DIR`: look at the data set."""

from pathlib import Path
from typing import Annotated

import typer

from training.command import one_sentence

from .compose import check_options
from .scene import DEFECTS
from .sheet import write_sheets

app = typer.Typer(help="The procedural person / garment data set.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """The procedural person / garment data set."""


@app.command()
@one_sentence()
def sheet(
    out: Annotated[Path, typer.Option(help="Folder for the PNG sheets.")],
    count: Annotated[int, typer.Option(help="Number of pairs.", min=1)] = 24,
    seed: Annotated[int, typer.Option(help="First seed; the following pairs count up.")] = 0,
    width: Annotated[int, typer.Option(help="Width of each picture; the height is 4/3 of it.")] = 192,
    category: Annotated[str | None, typer.Option(help="upper, lower or full; drawn if left out.")] = None,
    defect: Annotated[str | None, typer.Option(help=f"One of {', '.join(DEFECTS)}, or 'all'.")] = None,
    coarse: Annotated[float, typer.Option(help="Smallest repeat of a pattern, of the garment's length.")] = 0.0,
    columns: Annotated[int, typer.Option(help="Columns of pairs on a sheet.", min=1)] = 3,
) -> None:
    """Write contact sheets: person | mask contour | agnostic mask | garment."""
    kinds = DEFECTS if defect == "all" else (defect,)
    check_options((width, width * 4 // 3), category, kinds[0])
    for kind in kinds:
        for path in write_sheets(
            out, count, seed, (width, width * 4 // 3), kind, category, columns=columns, coarse=coarse
        ):
            typer.echo(str(path))


if __name__ == "__main__":
    app()
