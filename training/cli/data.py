"""Check and pack data sets of any layout."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from igr_core.cli.shared import echo
from igr_core.errors import IGRError
from igr_core.text import counted

from ..base.outputs import check_kept
from .commands import LayoutOption, MaskOption, Split, out_file, out_folder, size_option, subfolders

if TYPE_CHECKING:
    from ..data.contract.pairs import PairSource
    from ..data.opening import DataSetConfig


Root = Annotated[str, typer.Argument(help="Folder of the data set; for shards, also a path or URL with braces.")]
SplitOption = Annotated[Split | None, typer.Option(help="Split to use; all splits by default.")]
MaskFolder = Annotated[str | None, typer.Option(help="Folder of masks, relative to ROOT or its parts.")]
KeepLeaks = Annotated[bool, typer.Option("--keep-leaks", help="Keep known duplicates and train/test leaks.")]
Kind = Annotated[
    Literal["rendered", "drawn", "mixed"] | None,
    typer.Option(
        help="rendered: ROOT contains rendered records. drawn: ROOT is a range of seeds, such as 0..999. mixed: "
        "ROOT is SEEDS+RECORDS."
    ),
]
Size = Annotated[str, typer.Option(help="Size of newly drawn pairs as WxH, with aspect ratio 3:4.")]
Limit = Annotated[
    int | None,
    typer.Option(min=1, max=10_000_000, help="Maximum number of pairs per split, spread evenly over the split."),
]


def check(
    root: Root,
    split: SplitOption = None,
    layout: LayoutOption = "auto",
    mask: MaskOption = "auto",
    mask_folder: MaskFolder = None,
    keep_leaks: KeepLeaks = False,
    sheet: Annotated[
        Path | None,
        typer.Option(help="Image to write: person, mask and garment of some pairs per category.", callback=out_file),
    ] = None,
    limit: Limit = None,
    kind: Kind = None,
    size: Size = "384x512",
    workers: Annotated[int, typer.Option(min=1, max=1024, help="Number of pairs to read at the same time.")] = min(
        8, os.cpu_count() or 1
    ),
) -> None:
    """Detect the layout, read every pair, and list all missing, unreadable or mismatched files.

    The exit status is 1 if any file is listed.
    """
    from igr_core.photo.images import check_image_name

    from ..data.checking import check_pairs, summary, write_sheet
    from ..data.opening import build_source

    if sheet is not None:
        check_image_name(sheet, "RGB")
        check_kept(sheet, "--sheet", folders=subfolders(root))
    configs = _chosen(kind, size, root, split, layout, mask, mask_folder, keep_leaks, limit)
    wrong = 0
    for name, parts in configs.items():
        source = _joined([build_source(part) for part in parts])
        reports = check_pairs(source, workers)
        echo(summary(source, reports))
        listed = [problem for report in reports for problem in report.problems]
        problems = list(dict.fromkeys([*source.unlisted, *listed]))
        wrong += len(problems)
        for problem in problems:
            echo(f"  wrong: {problem}")
        if sheet is not None:
            path = sheet if len(configs) == 1 else sheet.with_stem(f"{sheet.stem}_{name}")
            echo(f"  {path}: {counted(write_sheet(path, source, reports), 'pair')}")
    if wrong:
        echo(f"{counted(wrong, 'problem')} found.")
        raise typer.Exit(1)
    echo("All files are readable.")


def pack(
    root: Root,
    out: Annotated[
        Path, typer.Argument(help="Folder for the shards, with a subfolder for each split.", callback=out_folder)
    ],
    split: SplitOption = None,
    layout: LayoutOption = "auto",
    mask: MaskOption = "auto",
    mask_folder: MaskFolder = None,
    keep_leaks: KeepLeaks = False,
    limit: Limit = None,
    kind: Kind = None,
    size: Size = "384x512",
    pairs_per_tar: Annotated[int, typer.Option(min=1, max=10_000_000, help="Pairs per shard.")] = 500,
) -> None:
    """Write a data set as WebDataset shards; complete shards are kept, so an interrupted run can resume."""
    from ..data.layouts.tars import plan_tars, write_planned
    from ..data.opening import open_data_set

    configs = _chosen(kind, size, root, split, layout, mask, mask_folder, keep_leaks, limit)
    sources = {name: _joined([open_data_set(part) for part in parts]) for name, parts in configs.items()}
    plans = {name: plan_tars(source, out / name, pairs_per_tar) for name, source in sources.items()}
    for name, plan in plans.items():
        paths = write_planned(plan)
        echo(f"{out / name}: {counted(len(plan.source), 'pair')} in {counted(len(paths), 'shard')}.")


def _chosen(
    kind: str | None, size: str, root: str, split: str | None, layout: str, mask: str, *options: Any
) -> dict[str, list[DataSetConfig]]:
    """Configs, by split, of the data sets that the command combines into one."""
    from ..data.layouts.synthetic_pairs import SyntheticConfig
    from ..data.opening import DataSetConfig

    if kind is None or kind == "rendered":
        found = _configs(root, split, layout if kind is None else kind, mask, *options)
        return {config.split: [config] for config in found}
    seeds, _, records = root.partition("+")
    match = re.fullmatch(r"(\d+)\.\.(\d+)", seeds)
    if match is None or int(match[2]) < int(match[1]) or bool(records) is (kind == "drawn"):
        raise IGRError(f"{root} is not valid: use seeds such as 0..999, or 0..999+RECORDS for mixed pairs.")
    drawn = SyntheticConfig(int(match[1]), int(match[2]) - int(match[1]) + 1, size_option("--size", size))
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
    """One config for each requested split."""
    from ..data.opening import DataSetConfig, detect_layout, splits_in

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
