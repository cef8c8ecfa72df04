"""Tables, photos and settings for tests of catalogues."""

import csv
from collections.abc import Sequence
from pathlib import Path

from igr_core.catalogue.settings import CatalogueSettings, model_hash
from igr_core.model.bundle import Bundle
from igr_core.restore.jobs import Settings
from igr_core.sampling.presets import Sampling
from tests.support.cli_kit import write_pair


def write_table(folder: Path, names: Sequence[str], missing: Sequence[str] = ()) -> Path:
    """A table with an upper garment for each name, all in copies of one photo; those of `missing` have no photo."""
    with (folder / "table.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["photo", "mask", "category", "name"])
        for name in names:
            if name not in missing:
                write_pair(folder, f"{name}.png")
            writer.writerow([f"photos/{name}.png", f"masks/{name}.png", "upper", name])
    return folder / "table.csv"


def quick_settings(bundle: Path, **more: object) -> CatalogueSettings:
    """Settings of a quick run with a bundle, in float32, so that batches and single garments differ by little."""
    model = Bundle.open(bundle).info.model
    own = Settings(model.native_size, model.view, model.image_encoder.image_size, Sampling(2, 1.0))
    return CatalogueSettings(own, str(bundle), model_hash(bundle), precision="fp32", **more)  # type: ignore[arg-type]
