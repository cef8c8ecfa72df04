"""Choose the best pairs of a data set, and tell the bad ones."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from igr_core.errors import IGRError
from igr_core.model.config import from_json

from ..base.config_files import load_config
from ..curation.judging import SCORES, judge_all, judged_before
from ..curation.manifest import Hand, Manifest, decide, read_decisions, read_manifest, write_manifest
from ..curation.measure import measure, table, write_measurement
from ..curation.page import write_page
from ..curation.scores import CurationConfig
from ..data.opening import LAYOUTS, DataSetConfig, open_data_set
from ..prepared.selection import PairsConfig
from .commands import Commands

app = typer.Typer(
    cls=Commands, add_completion=False, no_args_is_help=True, help="Score pairs, look at them, choose the best."
)
Workers = Annotated[int, typer.Option(min=1, help="Processes that look at pairs.")]


@app.command("score")
def score_pairs(
    root: Annotated[str, typer.Argument(help="Data set: its folder, shards, or a YAML file of a PairsConfig.")],
    out: Annotated[Path, typer.Option(help="Folder for manifest, scores and page; a stopped run goes on in it.")],
    layout: Annotated[str, typer.Option(help=f"auto, or one of {', '.join(LAYOUTS)}.")] = "auto",
    split: Annotated[str, typer.Option(help="train or test.")] = "train",
    mask: Annotated[
        str, typer.Option(help="auto, agnostic, garment or file; counts only without parsing maps.")
    ] = "auto",
    share: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of all pairs to choose for HQFT.")] = 0.2,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pairs, spread evenly.")] = None,
    settings: Annotated[Path | None, typer.Option(help="YAML file of a CurationConfig: other thresholds.")] = None,
    workers: Workers = min(8, os.cpu_count() or 1),
) -> None:
    """Score every pair, rank them, choose the HQFT share, and write the page to look through them.

    Pairs that cannot be read are listed, and end the command with status 1; the others are ranked all the same.
    """
    data = _data(root, layout, split, mask, limit)
    config = load_config(CurationConfig, settings) if settings is not None else CurationConfig()
    source = open_data_set(data)
    if not source.has_garments:
        raise IGRError(f"{source.title} has no flat garments: there are no pairs to choose from.")
    hands = _hands(out)
    judged, problems = judge_all(data, source, config, out, workers)
    if judged:
        manifest = decide(judged, hands, config, source.title, share)
        _write(out, manifest)
    for problem in problems:
        typer.echo(f"  cannot be read: {problem}")
    if problems:
        typer.echo(f"{len(problems):,} of {len(source):,} pairs cannot be read and are in no manifest.")
        raise typer.Exit(1)


@app.command()
def apply(
    folder: Annotated[Path, typer.Argument(help="Folder of a curation.")],
    decisions: Annotated[Path, typer.Argument(help="decisions.json that the page saved.")],
) -> None:
    """Put decisions made on the page into the manifest: kept pairs are always in, dropped ones never."""
    manifest, found = read_manifest(folder), read_decisions(decisions)
    names = {row.name for row in manifest.rows}
    foreign = [name for name in found if name not in names]
    if foreign:
        raise IGRError(f"{decisions} decides about {foreign[0]}, which {folder} does not hold: it is of another one.")
    described = manifest.described
    config = from_json(CurationConfig, described.get("settings"), str(folder / "manifest.json"))
    judged = [one for one in judged_before(folder / SCORES) if one.name in names]
    if len(judged) < len(names):
        raise IGRError(f"{folder / SCORES} lacks pairs of the manifest: run python -m training curate score again.")
    _write(folder, decide(judged, found, config, described["title"], described["share"]))


@app.command("measure")
def measure_scores(
    count: Annotated[int, typer.Option(min=1, help="Pairs to draw.")] = 1000,
    start: Annotated[int, typer.Option(min=0, help="First seed; the thresholds were chosen on 0..1499.")] = 30000,
    workers: Workers = 1,
    json: Annotated[Path | None, typer.Option(help="File for what was measured.")] = None,
) -> None:
    """Print how well the generator's own defects are found: recall and precision, as a Markdown table."""
    found = measure(start, count, CurationConfig(), workers)
    if json is not None:
        write_measurement(json, found)
    typer.echo(table(found))


def _data(root: str, layout: str, split: str, mask: str, limit: int | None) -> DataSetConfig:
    """The data set that the options name: a YAML file of a PairsConfig, or a folder."""
    if Path(root).suffix in (".yaml", ".yml"):
        data = load_config(PairsConfig, root).data
        return data if limit is None else replace(data, limit=limit)
    named = {"root": root, "layout": layout, "split": split, "mask": mask, "limit": limit}
    return from_json(DataSetConfig, named, "The options")


def _hands(out: Path) -> dict[str, Hand]:
    """Decisions of an earlier manifest of the folder, which scoring again keeps."""
    if not (out / "manifest.csv").exists():
        return {}
    return {row.name: row.hand for row in read_manifest(out).rows if row.hand}


def _write(out: Path, manifest: Manifest) -> None:
    write_manifest(out, manifest)
    write_page(out, manifest)
    dropped = sum(row.decision == "dropped" for row in manifest.rows)
    typer.echo(
        f"{out}: {len(manifest.rows):,} pairs, {dropped:,} dropped, {len(manifest.hqft_names()):,} chosen for HQFT; "
        f"look through them in {out / 'index.html'}."
    )
