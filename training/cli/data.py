"""`python -m training data check ROOT`: look through a data set; also draw, render and show some, and pack any."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from igr_core.errors import IGRError
from igr_core.photo.images import check_picture_name
from igr_core.photo.inputs import parse_size
from training.base.command import one_sentence

from ..data.checking import check_pairs, summary, write_sheet
from ..data.fixtures import FIXTURES, write_fixture
from ..data.contract.joined import JoinedPairs
from ..data.opening import LAYOUTS, DataSetConfig, build_source, detect_layout, open_data_set, splits_in
from ..data.contract.pairs import HELD_OUT_START, PairSource
from ..data.rendered.generating import PER_SHARD, generate, told_rejects
from ..data.rendered.settings import RenderSettings
from ..data.rendered.shards import RecordShards
from ..data.rendered_fixtures import RenderedMaker
from ..data.synthetic import make_pair
from ..data.synthetic.__main__ import sheet
from ..data.layouts.synthetic_pairs import SyntheticConfig
from ..data.layouts.tars import write_tars

AS_RENDERED = RenderSettings()
COUNT = 300
"""Pairs of the fixed held-out set."""

app = typer.Typer(
    help="Data sets: look through them, draw small ones, render large ones, pack them.", no_args_is_help=True
)

Root = Annotated[str, typer.Argument(help="Folder of the data set; of shards also a path or URL, with braces.")]
Split = Annotated[str | None, typer.Option(help="train or test; left out, every split that is there.")]
Layout = Annotated[str, typer.Option(help=f"auto, or one of {', '.join(LAYOUTS)}.")]
Mask = Annotated[str, typer.Option(help="auto, agnostic, garment (from the parsing map) or file.")]
MaskFolder = Annotated[str | None, typer.Option(help="Folder of masks, from ROOT or its parts.")]
KeepLeaks = Annotated[bool, typer.Option("--keep-leaks", help="Keep known duplicates and train / test leaks.")]
Kind = Annotated[
    str | None,
    typer.Option(
        help="rendered: ROOT holds records. drawn: ROOT is the seeds of pairs to draw, 0..999. mixed: ROOT is "
        "SEEDS+RECORDS."
    ),
]
Size = Annotated[str, typer.Option(help="WxH of pairs that are drawn now, 3:4.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most so many pairs of a split, spread evenly.")]


@app.command()
@one_sentence()
def check(
    root: Root,
    split: Split = None,
    layout: Layout = "auto",
    mask: Mask = "auto",
    mask_folder: MaskFolder = None,
    keep_leaks: KeepLeaks = False,
    sheet: Annotated[
        Path | None, typer.Option(help="Picture to write: person, mask and garment of some pairs of each category.")
    ] = None,
    limit: Limit = None,
    kind: Kind = None,
    size: Size = "384x512",
    workers: Annotated[int, typer.Option(min=1, help="Pairs that are read at a time.")] = min(8, os.cpu_count() or 1),
) -> None:
    """Find out the layout, read every pair, and list each missing, unreadable or mismatched file.

    Ends with status 1 when there is any.
    """
    if sheet is not None:
        check_picture_name(sheet, "RGB")
    configs = _chosen(kind, size, root, split, layout, mask, mask_folder, keep_leaks, limit)
    wrong = 0
    for name, parts in configs.items():
        source = _joined([build_source(part) for part in parts])
        reports = check_pairs(source, workers)
        typer.echo(summary(source, reports))
        listed = [problem for report in reports for problem in report.problems]
        problems = list(dict.fromkeys([*source.unlisted, *listed]))
        wrong += len(problems)
        for problem in problems:
            typer.echo(f"  wrong: {problem}")
        if sheet is not None:
            path = sheet if len(configs) == 1 else sheet.with_stem(f"{sheet.stem}_{name}")
            typer.echo(f"  {path}: {write_sheet(path, source, reports)} pairs")
    if wrong:
        typer.echo(f"{wrong:,} things are wrong.")
        raise typer.Exit(1)
    typer.echo("Everything can be read.")


@app.command()
@one_sentence()
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


@app.command()
@one_sentence()
def pack(
    root: Root,
    out: Annotated[Path, typer.Argument(help="Folder of the shards; each split gets one of its own in it.")],
    split: Split = None,
    layout: Layout = "auto",
    mask: Mask = "auto",
    mask_folder: MaskFolder = None,
    keep_leaks: KeepLeaks = False,
    limit: Limit = None,
    kind: Kind = None,
    size: Size = "384x512",
    pairs_per_tar: Annotated[int, typer.Option(min=1, help="Pairs in one shard.")] = 500,
) -> None:
    """Write a data set as WebDataset shards; whole shards are kept, so that a stopped run goes on."""
    configs = _chosen(kind, size, root, split, layout, mask, mask_folder, keep_leaks, limit)
    for name, parts in configs.items():
        source = _joined([open_data_set(part) for part in parts])
        paths = write_tars(source, out / name, pairs_per_tar)
        typer.echo(f"{out / name}: {len(source):,} pairs in {len(paths):,} shards.")


@app.command()
@one_sentence()
def render(
    out: Annotated[str, typer.Argument(help="Folder or URL of the shards; an existing one grows.")],
    garments: Annotated[int, typer.Option(min=1, help="Garments in it when done, each with its photos.")],
    start: Annotated[int, typer.Option(min=0, help="First seed.")] = 0,
    size: Annotated[str, typer.Option(help="WxH of photos and product shots, 3:4.")] = "384x512",
    photos: Annotated[float, typer.Option(help="Photos of each garment on average.")] = AS_RENDERED.photos,
    defect_share: Annotated[float, typer.Option(help="Share of photos with a defect on purpose, for curation.")] = 0.0,
    samples: Annotated[int, typer.Option(help="Light paths per pixel before denoising.")] = AS_RENDERED.samples,
    workers: Annotated[int, typer.Option(min=1, help="Processes that render.")] = 2,
    ray: Annotated[str | None, typer.Option(help="Render on a Ray cluster: auto, or its address.")] = None,
    per_shard: Annotated[int, typer.Option(min=1, help="Garments in a shard.")] = PER_SHARD,
) -> None:
    """Render garments, each worn by several people, into shards of records; run it again to go on.

    Records hold geometry and light: they are dressed in any number of clothes when they are read.
    """
    settings = RenderSettings(parse_size(size, 1), photos, defect_share, start >= HELD_OUT_START, samples)
    seeds = range(start, start + garments)
    rejects = generate(out, seeds, settings, workers, ray, per_shard=per_shard)
    made = RecordShards(out)
    own = [made.told(seed) for seed in made.seeds if seed in seeds]
    tries = sum(sum(told["rejects"].values()) for told in own)
    shots = sum(1 + len(told["photos"]) for told in own)
    typer.echo(
        f"{out}: {len(own):,} garments with {shots - len(own):,} photos; {tries:,} of {shots + tries:,} shots rejected "
        f"({tries / max(shots + tries, 1):.1%}), now: {told_rejects(rejects) or 'none'}."
    )


@app.command("held-out")
@one_sentence()
def held_out(
    out: Annotated[Path, typer.Argument(help="Folder for held-out.tar, and for the records that it is made of.")],
    count: Annotated[int, typer.Option(min=1, help="Pairs; the fixed set has the default.")] = COUNT,
    workers: Annotated[int, typer.Option(min=1, help="Processes that render.")] = 2,
    ray: Annotated[str | None, typer.Option(help="Render on a Ray cluster: auto, or its address.")] = None,
) -> None:
    """Write the fixed held-out set: bodies, poses, cuts and textures that no training seed uses; print its hash."""
    from ..data.rendered.held_out import write_held_out

    path, digest = write_held_out(out, count, workers, ray)
    typer.echo(f"{path}: {count:,} pairs, {path.stat().st_size / 1e6:.1f} MB, SHA-256 {digest}")


app.command()(sheet)


def _chosen(
    kind: str | None, size: str, root: str, split: str | None, layout: str, mask: str, *options: Any
) -> dict[str, list[DataSetConfig]]:
    """By split, the configs of the sets that a command reads as one."""
    if kind is None or kind == "rendered":
        found = _configs(root, split, layout if kind is None else kind, mask, *options)
        return {config.split: [config] for config in found}
    if kind not in ("drawn", "mixed"):
        raise IGRError(f"Unknown kind {kind!r}: choose drawn, rendered or mixed.")
    seeds, _, records = root.partition("+")
    match = re.fullmatch(r"(\d+)\.\.(\d+)", seeds)
    if match is None or int(match[2]) < int(match[1]) or bool(records) is (kind == "drawn"):
        raise IGRError(f"{root} is not understood: give seeds such as 0..999, of mixed pairs 0..999+RECORDS.")
    drawn = SyntheticConfig(int(match[1]), int(match[2]) - int(match[1]) + 1, parse_size(size, 1))
    both = [DataSetConfig(layout="synthetic", split=split or "train", mask=mask, synthetic=drawn)]
    if records:
        both += _configs(records, split or "train", "rendered", mask, *options)
    return {split or "train": both}


def _joined(sources: list[PairSource]) -> PairSource:
    return sources[0] if len(sources) == 1 else JoinedPairs(sources)


def _configs(
    root: str,
    split: str | None,
    layout: str,
    mask: str,
    mask_folder: str | None,
    keep_leaks: bool,
    limit: int | None,
) -> list[DataSetConfig]:
    """One config for each split that is asked for."""
    if layout != "auto" and layout not in LAYOUTS:
        raise IGRError(f"Unknown layout {layout!r}: choose auto, {', '.join(LAYOUTS)}.")
    if mask not in ("auto", "agnostic", "garment", "file"):
        raise IGRError(f"Unknown mask {mask!r}: choose auto, agnostic, garment or file.")
    if split not in (None, "train", "test"):
        raise IGRError(f"Unknown split {split!r}: choose train or test.")
    found = detect_layout(root) if layout == "auto" else layout
    splits = splits_in(root, found) if split is None else (split,)
    return [
        DataSetConfig(
            root=root,
            layout=found,
            split=one,
            mask=mask,
            mask_folder=mask_folder,
            keep_leaks=keep_leaks,
            limit=limit,
        )
        for one in splits
    ]


if __name__ == "__main__":
    app()
