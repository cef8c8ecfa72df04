"""Commands that select a data set's best pairs and find its bad ones."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from igr_core.cli.shared import echo
from igr_core.errors import IGRError
from igr_core.model.config import from_json
from igr_core.text import counted

from ..base.config_files import load_config
from .commands import Commands, LayoutOption, MaskOption, Split, out_file, out_folder

if TYPE_CHECKING:
    from ..curation.manifest import Hand, Manifest
    from ..data.opening import DataSetConfig

app = typer.Typer(
    cls=Commands, add_completion=False, no_args_is_help=True, help="Score pairs, review them, and select the best."
)
Workers = Annotated[int, typer.Option(min=1, max=1024, help="Number of processes.")]


@app.command("score")
def score_pairs(
    root: Annotated[str, typer.Argument(help="Data set: folder, shards, or YAML file with the fields of PairsConfig.")],
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for the manifest, scores and review page; resumes if interrupted.", callback=out_folder
        ),
    ],
    layout: LayoutOption = "auto",
    split: Annotated[Split, typer.Option(help="Split of the data set.")] = "train",
    mask: MaskOption = "auto",
    share: Annotated[float, typer.Option(min=0.0, max=1.0, help="Fraction of all pairs to select for HQFT.")] = 0.2,
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=10_000_000, help="Maximum number of pairs, spread evenly over the data set."),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="YAML file with the fields of CurationConfig, for other thresholds.")
    ] = None,
    workers: Workers = min(8, os.cpu_count() or 1),
) -> None:
    """Score and rank all pairs, select the best for HQFT, and write a page to review them.

    Unreadable pairs are listed, and the exit status is then 1; all others are still ranked.
    """
    from ..curation.judging import judge_all
    from ..curation.manifest import decide
    from ..curation.scores import CurationConfig
    from ..data.opening import open_data_set

    data = _data(root, layout, split, mask, limit)
    config = load_config(CurationConfig, settings) if settings is not None else CurationConfig()
    source = open_data_set(data)
    if not source.has_garments:
        raise IGRError(f"{source.title} has no flat garments: curate a data set of pairs.")
    hands = _hands(out)
    judged, problems = judge_all(data, source, config, out, workers)
    if judged:
        manifest = decide(judged, hands, config, source.title, share)
        _write(out, manifest)
    for problem in problems:
        echo(f"  cannot be read: {problem}")
    if problems:
        verbs = "cannot be read and is" if len(source) == 1 else "cannot be read and are"
        echo(f"{len(problems):,} of {counted(len(source), 'pair')} {verbs} not in the manifest.")
        raise typer.Exit(1)


@app.command()
def apply(
    folder: Annotated[Path, typer.Argument(help="Folder of a curation.")],
    decisions: Annotated[Path, typer.Argument(help="decisions.json, as saved by the review page.")],
) -> None:
    """Apply the review page's decisions to the manifest: kept pairs are always selected, dropped ones never."""
    from ..curation.judging import SCORES, judged_before
    from ..curation.manifest import decide, read_decisions, read_manifest
    from ..curation.scores import CurationConfig

    manifest, found = read_manifest(folder), read_decisions(decisions)
    names = {row.name for row in manifest.rows}
    foreign = [name for name in found if name not in names]
    if foreign:
        raise IGRError(
            f"{decisions} contains {foreign[0]}, which is not in {folder}: use the decisions of this curation."
        )
    described = manifest.described
    config = from_json(CurationConfig, described.get("settings"), str(folder / "manifest.json"))
    judged = [one for one in judged_before(folder / SCORES) if one.name in names]
    if len(judged) < len(names):
        raise IGRError(
            f"{folder / SCORES} does not contain all pairs of the manifest: run `python -m training curate score` "
            "again."
        )
    _write(folder, decide(judged, found, config, described["title"], described["share"]))


@app.command("measure")
def measure_scores(
    count: Annotated[int, typer.Option(min=1, max=10_000_000, help="Number of pairs to draw.")] = 1000,
    start: Annotated[
        int, typer.Option(min=0, max=10**9, help="First seed; the thresholds were chosen on 0..1499.")
    ] = 30000,
    workers: Workers = 1,
    json: Annotated[Path | None, typer.Option(help="JSON file for the results.", callback=out_file)] = None,
) -> None:
    """Print recall and precision for the generator's defects, as a Markdown table."""
    from ..curation.measure import measure, table, write_measurement
    from ..curation.scores import CurationConfig

    found = measure(start, count, CurationConfig(), workers)
    if json is not None:
        write_measurement(json, found)
    echo(table(found))


def _data(root: str, layout: str, split: str, mask: str, limit: int | None) -> DataSetConfig:
    """The data set specified by the options: a folder, or a YAML file with the fields of PairsConfig."""
    from ..data.opening import DataSetConfig
    from ..prepared.selection import PairsConfig

    if Path(root).suffix in (".yaml", ".yml"):
        data = load_config(PairsConfig, root).data
        return data if limit is None else replace(data, limit=limit)
    named = {"root": root, "layout": layout, "split": split, "mask": mask, "limit": limit}
    return from_json(DataSetConfig, named, "The options")


def _hands(out: Path) -> dict[str, Hand]:
    """Decisions in the folder's existing manifest, to keep when the pairs are scored again."""
    from ..curation.manifest import read_manifest

    if not (out / "manifest.csv").exists():
        return {}
    return {row.name: row.hand for row in read_manifest(out).rows if row.hand}


def _write(out: Path, manifest: Manifest) -> None:
    from ..curation.manifest import write_manifest
    from ..curation.page import write_page

    write_manifest(out, manifest)
    write_page(out, manifest)
    dropped = sum(row.decision == "dropped" for row in manifest.rows)
    echo(
        f"{out}: {counted(len(manifest.rows), 'pair')}, {dropped:,} dropped, "
        f"{len(manifest.hqft_names()):,} selected for HQFT; "
        f"review them in {out / 'index.html'}."
    )
