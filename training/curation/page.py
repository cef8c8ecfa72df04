"""The page for reviewing a curation: index.html, next to the manifest, with the thumbnails from scoring."""

from __future__ import annotations

import hashlib
import html
import json
import os
from pathlib import Path
from string import Template
from typing import Any

from igr_core.files import atomic_file

from .judging import THUMB, thumb_name
from .manifest import Manifest, Row
from .scores import DEFECT_NAMES

TEMPLATE = Path(__file__).with_name("page.html")
CARDS = 200
"""Number of cards per page of the list."""


def write_page(folder: Path, manifest: Manifest) -> None:
    """Write index.html, with the worst pairs first; raises IGRError on failure."""
    rows = [_card(row) for row in reversed(manifest.rows)]
    title = str(manifest.described.get("title", "pairs"))
    # a key derived from the pairs, so that the browser does not mix up the decisions of different curations
    key = hashlib.sha256(os.fsencode("\n".join([title, *sorted(row["name"] for row in rows)]))).hexdigest()[:16]
    data = {"title": title, "key": key, "cards": CARDS, "defects": DEFECT_NAMES, "rows": rows}
    filled = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        width=2 * THUMB[0],
        height=THUMB[1],
        data=json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    )
    with atomic_file(folder / "index.html") as temporary:
        temporary.write_text(filled, encoding="utf-8")


def _card(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "category": row.category,
        "scores": [getattr(row.scores, name) for name in DEFECT_NAMES],
        "rank": row.rank,
        "decision": row.decision,
        "reasons": row.reasons,
        "duplicate": row.duplicate_of,
        "hand": row.hand,
        "thumb": f"thumbs/{thumb_name(row.name)}",
    }
