"""The paper's Tables 1 to 3 with results measured here; each row is marked as `paper`, `measured` or `control`."""

from __future__ import annotations

from collections.abc import Sequence

from ..result import Result, check_comparable
from .markdown import markdown
from .table import no_mask

VITON, STREET = "VITON-HD, paired", "StreetTryOn, unpaired"
COLUMNS = {
    VITON: ("ssim", "lpips", "dists", "fid", "clip_fid", "kid"),
    STREET: ("fid", "clip_fid", "kid"),
}
"""The paper's metrics on each data set; the paper does not state the network of its LPIPS."""
_OURS = ((0.7895, 0.2946, 0.2045, 13.1425, 5.0746, 2.9724), (31.0537, 10.0137, 8.7535))
PAPER: dict[str, dict[str, tuple[tuple[float, ...], tuple[float, ...]]]] = {
    "table1": {
        "CFLD": ((0.7489, 0.4320, 0.2979, 46.2532, 10.3878, 33.8882), (62.1068, 12.8040, 35.7497)),
        "OOTD": ((0.7219, 0.4424, 0.2984, 66.4205, 10.0482, 52.3561), (113.5400, 16.4324, 89.4453)),
        "IDM": ((0.7402, 0.4374, 0.2939, 63.0603, 11.1035, 50.9523), (103.1404, 16.3456, 76.8308)),
        "TryOffDiff": ((0.7576, 0.4288, 0.2680, 28.8638, 14.7685, 16.4532), (39.8455, 19.7795, 20.5915)),
        "Ours": _OURS,
    },
    "table2": {
        "w/o GarmNet": ((0.7931, 0.3048, 0.2192, 15.7038, 5.6490, 4.4113), (44.4640, 12.1343, 18.4922)),
        "w/o HQFT": ((0.7984, 0.2988, 0.2054, 13.6753, 5.9490, 3.5486), (41.0889, 11.1313, 15.9371)),
        "Ours": _OURS,
    },
    "table3": {
        "1.0": ((0.7940, 0.2957, 0.2110, 15.8122, 5.5150, 4.7267), (31.8787, 9.6373, 9.5388)),
        "1.5": _OURS,
        "2.0": ((0.7781, 0.2961, 0.2043, 12.2856, 5.0132, 2.4130), (30.8504, 10.3480, 8.8750)),
        "2.5": ((0.7651, 0.2979, 0.2059, 12.0341, 5.1168, 2.2296), (31.4109, 10.7149, 8.7850)),
    },
}
"""Numbers from the IGR paper (arXiv 2412.11513) by table, row and data set; KID times 1,000."""
CAPTIONS = {
    "table1": "Table 1: IGR and earlier methods",
    "table2": "Table 2: structure and training strategy",
    "table3": "Table 3: guidance scale",
}
"""Caption of each table."""
OWN = ("texture_agreement", "invented", "missing", "encoder_fd")
"""Additional metrics that are shown if they were computed."""
DECIMALS = {"ssim": 4, "lpips": 4, "dists": 4, "fid": 2, "clip_fid": 2, "kid": 2}


def paper_table(table: str, unpaired: bool, results: Sequence[Result], data: str) -> str:
    """One of the paper's tables in Markdown; each row is followed by our measurement, and other results are at the end.

    `data` describes the data used for the measurements. A result belongs to the row that its `paper` entry names (in
    Table 3, its guidance). Cells of metrics that were not computed stay empty; the last columns show this project's own
    metrics.
    """
    check_comparable(results)
    columns = COLUMNS[STREET if unpaired else VITON]
    own = [name for name in OWN if _any(results, name)]
    titles = ["", "", *(results[0].heading(_measured_as(name)) for name in (*columns, *own))]
    lines = []
    shown: set[int] = set()
    for name, (viton, street) in PAPER[table].items():
        numbers = street if unpaired else viton
        cells = [f"{value:.{DECIMALS[metric]}f}" for metric, value in zip(columns, numbers, strict=True)]
        lines.append([name, "paper", *cells, *[""] * len(own)])
        for place, result in enumerate(results):
            if _paper_row(table, result) == name:
                lines.append(_measured(result, columns, own))
                shown.add(place)
    for place, result in enumerate(results):
        if place not in shown:
            lines.append(_measured(result, columns, own))
    n = _listed({result.generated.count for result in results})
    protocols = _listed({result.protocol["name"] for result in results})
    note = f"Rows marked “measured” are this project's results on {data} ({n} images, protocol {protocols})."
    where = STREET if unpaired else VITON
    return (
        f"{CAPTIONS[table]}\n\n"
        + markdown(titles, lines)
        + f"\nRows marked “paper” are the published results on {where}; the paper states neither its protocol nor its "
        f"LPIPS network. {note} The two are only comparable if data, protocol and metric weights are the same."
        + (f" {no_mask(results)}\n" if own and no_mask(results) else "\n")
    )


def _measured(result: Result, columns: Sequence[str], own: Sequence[str]) -> list[str]:
    cells = [result.cell(_measured_as(name)) for name in (*columns, *own)]
    return [result.name, "control" if result.kind == "control" else "measured", *cells]


def _paper_row(table: str, result: Result) -> str:
    if table != "table3":
        return str(result.known.get("paper", ""))
    guidance = result.known.get("guidance")
    whole = all(result.known.get(name) == 1 for name in ("reference_strength", "image_prompt_strength"))
    # the paper uses none of these settings
    whole = whole and not any(name in result.known for name in ("photos", "details", "start"))
    return f"{guidance:.1f}" if whole and guidance is not None else ""


def _any(results: Sequence[Result], metric: str) -> bool:
    return any(result.value(metric) is not None for result in results)


def _measured_as(metric: str) -> str:
    """Name of a column's metric in METRICS."""
    return "lpips_alex" if metric == "lpips" else metric


def _listed(values: set) -> str:
    return " and ".join(f"{value:,}" if isinstance(value, int) else str(value) for value in sorted(values))
