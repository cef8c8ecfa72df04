"""An experiment's report: images first, then tables and curves, with every pair's numbers as CSV."""

from __future__ import annotations

import csv
import html
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder
from igr_core.json_text import parse_json
from igr_core.photo.image_files import IMAGE_SUFFIXES
from igr_core.text import as_cell

from ...base.statistics import mean_interval
from ..experiments.folder import experiment_results, read_description
from ..metrics.registry import METRICS
from ..result import Result
from .plots import SETTINGS, TEXTURE, draw_pictures, draw_setting
from .sheet import write_sheet

TEMPLATE = Path(__file__).with_name("report.html")
SHOWN = 6
"""Number of pairs in each gallery."""
BY_LABEL = (TEXTURE, "ssim")
"""Metrics to show for each label."""


@dataclass(frozen=True)
class Report:
    """The contents of a report."""

    folder: Path
    """Folder of the experiment."""
    described: dict[str, Any]
    """Contents of the experiment's experiment.json."""
    labels: dict[str, dict[str, str]]
    """Attributes of each pair."""
    results: list[Result]
    """Rows in the order of the table."""

    @property
    def first(self) -> Result:
        """The row that galleries are sorted by: the first that is not a control."""
        return next((one for one in self.results if one.kind != "control"), self.results[0])

    @property
    def names(self) -> list[str]:
        """Names of the pairs, worst texture score first; ordered by name if there are no paired scores."""
        if TEXTURE not in self.first.paired:
            return sorted(path.stem for path in (self.folder / "persons").glob("*.png"))
        scores = dict(zip(self.first.names, self.first.paired[TEXTURE].values, strict=True))
        return sorted(scores, key=scores.__getitem__)

    def picture(self, result: Result, name: str) -> Path | None:
        """A row's image for a pair.

        Returns None if images are compared as sets and another method has no image for the pair; otherwise, raises
        IGRError if the image is missing.
        """
        folder = self.folder / "rows" / result.known["place"] / "pictures"
        for suffix in IMAGE_SUFFIXES:
            for path in (folder / f"{name}{suffix}", folder / f"{name}{suffix.upper()}"):
                if path.is_file():
                    return path
        if self.described["unpaired"] and result.kind == "folder":
            return None
        raise IGRError(f"{folder} has no image for {name}: run the experiment again.")


def write_report(folder: Path) -> Path:
    """Write report/index.html, with plots, CSV files and summary.png, into an experiment's folder; returns its path.

    Raises IGRError if results or images are missing.
    """
    described = read_description(folder)
    try:
        labels = parse_json((folder / "labels.json").read_bytes(), "the file", "create it again")
    except (OSError, ValueError) as error:
        raise IGRError(
            f"{folder} is not an experiment, because labels.json is missing or damaged: create one with "
            "`python -m training evaluate run`."
        ) from error
    report = Report(folder, described, labels, experiment_results(folder))
    out = folder / "report"
    make_folder(out)
    _write_csvs(report, out)
    shown = _galleries(report)
    rows = [one for one in report.results if one.kind != "control"] + [
        one for one in report.results if one.kind == "control" and "white" not in one.name
    ]
    truth = folder / "truth" if (folder / "truth").is_dir() else None
    picked = [name for names in shown.values() for name in names[:2]]
    galleries = "".join(_gallery(report, title, names, truth) for title, names in shown.items())
    write_sheet(out / "summary.png", folder / "persons", truth, rows[:5], picked, report.picture)
    drawn = [f"{one}.png" for one in SETTINGS if draw_setting(out / f"{one}.png", report.results, one)]
    drawn += ["pairs.png"] if draw_pictures(out / "pairs.png", report.results) else []
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=_safe(described["title"]),
        about=_about(report),
        notes=_notes(report.results),
        galleries=galleries,
        table=_table(report.results),
        plots="".join(f'<img src="{name}" alt="{_ALTS[name]}">' for name in drawn),
        labels=_label_tables(report),
        provenance=_provenance(report.results),
    )
    with atomic_file(out / "index.html") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return out / "index.html"


def _galleries(report: Report) -> dict[str, list[str]]:
    """Pairs to show under each heading: best, median and worst if there are scores, otherwise the first by name."""
    names = report.names
    if TEXTURE not in report.first.paired:
        return {"Some of the garments": names[:SHOWN]}
    middle = max(0, (len(names) - SHOWN) // 2)
    groups = {
        "Best": names[::-1][:SHOWN],
        "Median": names[middle : middle + SHOWN],
        "Worst": names[:SHOWN],
    }
    return {f"{title} texture of “{report.first.name}”": group for title, group in groups.items()}


def _gallery(report: Report, title: str, names: Sequence[str], truth: Path | None) -> str:
    heads = ["person", *(["truth"] if truth is not None else []), *(one.name for one in report.results)]
    lines = []
    for name in names:
        cells = [_figure(report, f"persons/{name}.png", f"person {name}", "")]
        if truth is not None:
            cells.append(_figure(report, f"truth/{name}.png", f"true garment of {name}", ""))
        for result in report.results:
            path, note = report.picture(result, name), ""
            if path is None:
                cells.append("<td></td>")
                continue
            if TEXTURE in result.paired:
                note = f"{result.paired[TEXTURE].values[result.names.index(name)]:.3f}"
            cells.append(_figure(report, os.path.relpath(path, report.folder), f"{result.name}, {name}", note))
        attributes = " · ".join(value for value in report.labels.get(name, {}).values() if value not in ("none", ""))
        lines.append(f'<tr><th scope="row">{_safe(name)}<small>{_safe(attributes)}</small></th>{"".join(cells)}</tr>')
    head = "".join(f"<th>{_safe(one)}</th>" for one in heads)
    return (
        f"<h2>{_safe(title)}</h2><div class=wide><table class=gallery><thead><tr><th></th>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _figure(report: Report, place: str, alt: str, note: str) -> str:
    path = report.folder / place
    if not path.is_file():
        raise IGRError(f"{path} does not exist: run the experiment again.")
    source = quote(f"../{Path(place).as_posix()}")
    caption = f"<figcaption>{note}</figcaption>" if note else ""
    return f'<td><figure><img loading=lazy src="{source}" alt="{_safe(alt)}">{caption}</figure></td>'


def _table(results: Sequence[Result]) -> str:
    metrics = [name for name in METRICS if any(one.value(name) is not None for one in results)]
    models = [one for one in results if one.kind != "control"]
    best = {}
    for name in metrics:
        values = [value for one in models if (value := one.value(name)) is not None]
        best[name] = (max if METRICS[name].higher_is_better else min)(values) if len(values) > 1 else None
    head = "".join(f"<th>{_safe(results[0].heading(name))}</th>" for name in metrics)
    body = []
    for one in (*models, *(one for one in results if one.kind == "control")):
        cells = []
        for name in metrics:
            bold = one.kind != "control" and best[name] is not None and one.value(name) == best[name]
            cells.append(f"<td{' class=best' if bold else ''}>{_safe(one.cell(name))}</td>")
        kind = " class=control" if one.kind == "control" else ""
        body.append(f'<tr{kind}><th scope="row">{_safe(one.name)}</th>{"".join(cells)}</tr>')
    return (
        f"<div class=wide><table class=numbers><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
        "</table></div>"
    )


def _label_tables(report: Report) -> str:
    first = report.first
    metrics = [name for name in BY_LABEL if name in first.paired]
    groups: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, name in enumerate(first.names):
        for key, value in report.labels.get(name, {}).items():
            groups[key][value].append(place)
    if not groups or not metrics:
        return ""
    tables = []
    for key, values in groups.items():
        lines = []
        for value, places in sorted(values.items(), key=lambda one: -len(one[1])):
            cells = "".join(f"<td>{_part(first, name, places)}</td>" for name in metrics)
            lines.append(f'<tr><th scope="row">{_safe(value)}</th><td>{len(places)}</td>{cells}</tr>')
        head = "".join(f"<th>{_safe(METRICS[name].title)}</th>" for name in metrics)
        tables.append(
            f"<table class=numbers><thead><tr><th>{_safe(key)}</th><th>pairs</th>{head}</tr></thead>"
            f"<tbody>{''.join(lines)}</tbody></table>"
        )
    return f"<h2>Scores of “{_safe(first.name)}” by attribute of the pairs</h2><div class=side>{''.join(tables)}</div>"


def _part(result: Result, metric: str, places: Sequence[int]) -> str:
    values = [result.paired[metric].values[place] for place in places]
    decimals = METRICS[metric].decimals
    if len(values) < 2:
        return f"{values[0]:.{decimals}f}"
    found = mean_interval(values)
    return f"{found.mean:.{decimals}f} [{found.low:.{decimals}f}, {found.high:.{decimals}f}]"


def _about(report: Report) -> str:
    first = report.first
    against = ", compared as a set with another data set's garments" if report.described["unpaired"] else ""
    protocol = first.protocol
    size = "the reference's own size" if protocol["size"] is None else "×".join(map(str, protocol["size"]))
    libraries = f"{protocol['paired']}, {protocol['distribution']}"
    inside = "given masks" if first.silhouettes else "everything in the reference except white background"
    return _safe(
        f"{report.described['data']}; {first.generated.count:,} images{against}; protocol {protocol['name']}: at "
        f"{size}, {libraries}. Brackets show 95% bootstrap intervals over the pairs, ± the spread over KID's subsets. "
        f"Texture, masked L1, PSNR, invented and missing are measured on the garment's pixels: {inside}."
    )


def _notes(results: Sequence[Result]) -> str:
    sentences: dict[str, list[str]] = defaultdict(list)
    for one in results:
        for warning in one.warnings:
            sentences[warning].append(one.name)
        for metric, sentence in one.skipped.items():
            sentences[f"Not computed: {sentence}"].append(METRICS[metric].title)
    if not sentences:
        return ""
    items = "".join(
        f"<li>{_safe(sentence)} ({_safe(', '.join(dict.fromkeys(who)))})</li>" for sentence, who in sentences.items()
    )
    return f"<aside><h2>Before you read the numbers</h2><ul>{items}</ul></aside>"


def _provenance(results: Sequence[Result]) -> str:
    first = results[0]
    parts = [f"code {', '.join(sorted({one.revision[:12] for one in results}))}"]
    parts += [f"{name} {version}" for name, version in first.libraries.items()]
    parts += [f"{name} sha256 {digest[:12]}" for name, digest in first.weights.items()]
    bundles = {one.known["bundle"]: one.known["weights_sha256"] for one in results if "weights_sha256" in one.known}
    parts += [f"bundle {name} {digest[:12]}" for name, digest in bundles.items()]
    return _safe("; ".join(parts))


def _write_csvs(report: Report, out: Path) -> None:
    _write_csv(
        out / "results.csv",
        ("row", "kind", "metric", "value", "low", "high", "spread", "n"),
        (
            (one.name, one.kind, name, *_numbers(one, name), one.generated.count)
            for one in report.results
            for name in METRICS
            if one.value(name) is not None
        ),
    )
    _write_csv(
        out / "per_image.csv",
        ("row", "kind", "name", *METRICS),
        (
            (one.name, one.kind, name, *(_at(one, metric, place) for metric in METRICS))
            for one in report.results
            for place, name in enumerate(one.names)
        ),
    )


def _numbers(result: Result, metric: str) -> tuple[float | str, ...]:
    if metric in result.paired:
        found = result.paired[metric]
        return found.mean, found.low, found.high, ""
    spread = result.distribution[metric]
    return spread.value, "", "", "" if spread.spread is None else spread.spread


def _at(result: Result, metric: str, place: int) -> float | str:
    return result.paired[metric].values[place] if metric in result.paired else ""


def _write_csv(path: Path, head: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(head)
        writer.writerows([as_cell(cell) if isinstance(cell, str) else cell for cell in line] for line in lines)


def _safe(text: object) -> str:
    return html.escape(str(text))


_ALTS = {
    "guidance.png": "Metrics by guidance scale",
    "steps.png": "Metrics by number of steps",
    "pairs.png": "Texture score of each pair against its SSIM and a control",
}
