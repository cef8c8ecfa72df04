"""A made-up folder of an experiment: one pair eight times, under awkward names and increasingly blurred."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image, ImageFilter

from training.data.synthetic import make_pair
from training.evaluation.experiments.scoring import Scoring, score_folders
from training.evaluation.metrics.protocols import PROTOCOLS
from training.evaluation.metrics.weights import WeightsFolder
from training.evaluation.result import Result, write_results

NAMES = ("a.b", "a", "it's", 'a "quoted" one', "br[0]ck*t?", "50%25", "no#5", "x<i>&amp;")
"""From best to worst in the rows "IGR, guidance 1" and "IGR, guidance 2"."""
METRICS = ("ssim", "fid", "texture_agreement", "masked_l1")
TITLE = "Rows <script>alert(1)</script> & $title"


def write_experiment(folder: Path) -> list[Result]:
    """Write the folder: two guidance scales of a bundle, a folder of external JPEGs, and a control; returns their
    results.
    """
    pictures = {place: folder / "rows" / place / "pictures" for place in ("g1", "g2", "others", "white")}
    for place in (folder / "persons", folder / "truth", *pictures.values()):
        place.mkdir(parents=True)
    pair = make_pair(11, (48, 64))
    for number, name in enumerate(NAMES):
        pair.person.save(folder / "persons" / f"{name}.png")
        pair.garment.save(folder / "truth" / f"{name}.png")
        Image.new("RGB", (48, 64), "white").save(pictures["white"] / f"{name}.png")
        pair.garment.rotate(9, fillcolor="white").save(pictures["others"] / f"{name}.JPG")
        for place, strength in (("g1", 0.4), ("g2", 0.3)):
            picture = pair.garment.filter(ImageFilter.GaussianBlur(strength * (number + 1)))
            picture.save(pictures[place] / f"{name}.png")
    scoring = Scoring(PROTOCOLS["native"], METRICS, WeightsFolder(folder))
    rows: list[tuple[str, str, str, dict[str, Any]]] = [
        ("IGR, guidance 1", "bundle", "g1", {"bundle": "tiny", "weights_sha256": "0123456789abcdef", "guidance": 1.0}),
        ("IGR, guidance 2", "bundle", "g2", {"bundle": "tiny", "weights_sha256": "0123456789abcdef", "guidance": 2.0}),
        ("others & <b>", "folder", "others", {"folder": "elsewhere"}),
        ("plain white", "control", "white", {}),
    ]
    results = []
    for name, kind, place, known in rows:
        known = known | {"place": place}
        results.append(score_folders(scoring, pictures[place], folder / "truth", name=name, kind=kind, known=known))
        write_results(folder / "rows" / place / "result.json", results[-1:])
    (folder / "rows.json").write_text(json.dumps([place for _, _, place, _ in rows]))
    described = {"title": TITLE, "data": "drawn <pairs>", "table": "", "unpaired": False, "settings": {}}
    (folder / "experiment.json").write_text(json.dumps(described))
    told = {
        name: {"category": "upper", "pattern": "stripes & dots" if number % 2 else "none"}
        for number, name in enumerate(NAMES)
    }
    (folder / "labels.json").write_text(json.dumps(told))
    return results
