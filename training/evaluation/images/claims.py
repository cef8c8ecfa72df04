"""Record each image folder's settings in a file, so that images with different settings are never mixed."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from igr_core.errors import IGRError
from igr_core.files import make_folder
from igr_core.model.config import ModelConfig

from ...base.files import write_text
from ...data.contract.pairs import PairSource
from ...data.contract.seeds import HELD_OUT_START
from ...data.layouts.names import LAYOUTS
from ...data.opening import DataSetConfig
from .folders import folder_name

_GENERATED = re.compile(r"(?:seed|garment)-(\d{9,})")
"""Name of a drawn or rendered pair, with its seed."""


def check_held_out(source: PairSource) -> None:
    """Raise IGRError for a drawn or rendered pair whose seed may have been used for training."""
    for entry in source.entries:
        found = _GENERATED.match(entry.name)
        if found is not None and int(found[1]) < HELD_OUT_START:
            raise IGRError(
                f"{entry.name} in {source.title} may have been used for training: held-out pairs start at seed "
                f"{HELD_OUT_START}. For rendered records, set split to test."
            )


def claim(path: Path, described: dict[str, Any]) -> None:
    """Record a folder's description; raises IGRError if the folder has a different description, because images would be
    mixed."""
    text = check_claim(path, described)
    make_folder(path.parent)
    write_text(path, text)


def check_claim(path: Path, described: dict[str, Any]) -> str:
    """The text that `claim` would write; raises IGRError as `claim` does, and writes nothing."""
    text = json.dumps(described, indent=1) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise IGRError(f"{path} records different settings: choose another --out, or remove {path.parent}.")
    return text


def data_title(config: DataSetConfig, source: PairSource) -> str:
    """Name of a data set in tables, without its path."""
    if source.layout == "synthetic":
        return source.title
    title = LAYOUTS[source.layout].split(" (")[0]
    return f"{title}, {config.split}, {len(source):,} pairs of the folder {_last(config.root)}"


def described_data(config: DataSetConfig, source: PairSource) -> dict[str, Any]:
    """Everything that affects a data set's images, with folder names instead of this machine's paths."""
    names = "\n".join(entry.name for entry in source.entries)
    described: dict[str, Any] = asdict(config) | {
        "root": _last(config.root),
        "layout": source.layout,
        "mask_folder": _last(config.mask_folder or ""),
        "count": len(source),
        "names_sha256": hashlib.sha256(names.encode()).hexdigest(),
    }
    for layout in ("synthetic", "rendered"):
        if source.layout != layout:
            del described[layout]
    return described


def described_view(model: ModelConfig) -> dict[str, Any]:
    """All settings that affect a model's view of a photo."""
    return {"size": model.native_size, "view": asdict(model.view), "crop": model.image_encoder.image_size}


def _last(place: str) -> str:
    """Last part of a path or URL."""
    if not place:
        return ""
    return place.rstrip("/").rsplit("/", 1)[-1] if "://" in place else folder_name(Path(place))
