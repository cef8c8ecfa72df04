"""Look through a data set of any layout, and pack it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igr_core.errors import IGRError

from ..data.layouts.names import LAYOUTS

if TYPE_CHECKING:
    from ..data.contract.pairs import PairSource
    from ..data.opening import DataSetConfig


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
    from igr_core.photo.images import check_image_name

    from ..data.checking import check_pairs, summary, write_sheet
    from ..data.opening import build_source

    if sheet is not None:
        check_image_name(sheet, "RGB")
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
    from ..data.layouts.tars import write_tars
    from ..data.opening import open_data_set

    configs = _chosen(kind, size, root, split, layout, mask, mask_folder, keep_leaks, limit)
    for name, parts in configs.items():
        source = _joined([open_data_set(part) for part in parts])
        paths = write_tars(source, out / name, pairs_per_tar)
        typer.echo(f"{out / name}: {len(source):,} pairs in {len(paths):,} shards.")


def _chosen(
    kind: str | None, size: str, root: str, split: str | None, layout: str, mask: str, *options: Any
) -> dict[str, list[DataSetConfig]]:
    """By split, the configs of the sets that a command reads as one."""
    from igr_core.photo.inputs import parse_size

    from ..data.layouts.synthetic_pairs import SyntheticConfig
    from ..data.opening import DataSetConfig

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
    from ..data.contract.joined import JoinedPairs

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
    from ..data.opening import DataSetConfig, detect_layout, splits_in

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
