"""A contact sheet of the report: one HTML page to sort, filter and search, with thumbnails."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...text import plain
from .outcome import DONE, Outcome

SHEET = "report.html"
"""Name of the page."""


def contact_sheet(outcomes: Iterable[Outcome], title: str) -> str:
    """The page as HTML; its links are relative to the output folder, and it loads nothing from elsewhere."""
    from jinja2 import Environment, FileSystemLoader

    lines = [_line(one) for one in sorted(outcomes, key=lambda one: one.name)]
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    counts = Counter(str(one["status"]) for one in lines)
    data = json.dumps(lines, allow_nan=False).replace("<", "\\u003c")  # a name must not be able to end the script
    return environment.get_template("contact_sheet.html").render(title=plain(title), counts=counts, data=data)


def _line(one: Outcome) -> dict[str, Any]:
    shown = one.status in DONE
    return {
        "name": plain(one.name),
        "status": one.status,
        "category": one.category,
        "evidence": one.evidence,
        "agreement": one.agreement,
        "seconds": one.seconds,
        "photo": plain(one.photo),
        "photos": one.photos,
        "warnings": plain(" ".join(filter(None, (one.error, one.warnings)))),
        "note": plain(one.note),
        "image": quote(one.image) if shown else "",
        "map": quote(one.evidence_map) if shown else "",
        "thumbnail": quote(one.thumbnail) if shown else "",
    }
