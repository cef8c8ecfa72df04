"""ComfyUI's folders: the models that loaders list, and the files in the input, output and temp folders."""

from __future__ import annotations

import importlib
import logging
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import folder_paths
from PIL import ExifTags, Image

from ...igr_core.errors import IGRError
from ...igr_core.folders import resolved
from ...igr_core.included import INCLUDED_BUNDLE, INCLUDED_NAME, INCLUDED_PARSER, INCLUDED_SEGMENTER

WEIGHTS = ".safetensors"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelFolder:
    """A folder of models below ComfyUI's models/ and in extra_model_paths.yaml, plus the included model."""

    name: str
    """Name of the folder, as used by ComfyUI and other packs."""
    loader: str
    """Display name of the node that lists the models."""
    content: str
    """What belongs in the folder, for error messages."""
    included: Path
    """The model that comes with the pack."""
    included_name: str
    """Name of the included model, the first in the list."""
    takes_files: bool
    """Whether a model can be a single .safetensors file."""
    takes_folders: bool
    """Whether a model can be a folder with config.json and .safetensors, in transformers' layout."""

    def register(self) -> None:
        """Register the folder with ComfyUI, in addition to paths from the user or another pack.

        Only .safetensors is added as a file type; without any file type, ComfyUI would list all files.
        """
        places, suffixes = folder_paths.folder_names_and_paths.get(self.name, ([], set()))
        default = str(Path(folder_paths.models_dir) / self.name)
        places = places if default in places else [*places, default]
        folder_paths.folder_names_and_paths[self.name] = (places, set(suffixes) | {WEIGHTS})

    def names(self) -> list[str]:
        """Names of the models: the included one, then folders, then single files outside the listed folders."""
        files = [Path(name) for name in folder_paths.get_filename_list(self.name) if name.endswith(WEIGHTS)]
        inside = {file for file in files if self.takes_folders and self._is_in_model_folder(file)}
        folders = sorted({file.parent.as_posix() for file in inside})
        single = sorted(file.as_posix() for file in files if file not in inside)
        return [self.included_name, *folders, *(single if self.takes_files else [])]

    def path(self, name: str) -> Path:
        """Path of a listed model; raises IGRError if it no longer exists or the name is not listed."""
        if name == self.included_name:
            if self.included.exists():
                return self.included
            raise IGRError(
                f"{self.included} does not exist: install the pack again, or put {self.content} into "
                f"models/{self.name}."
            )
        places = folder_paths.get_folder_paths(self.name) if name in self.names() else []
        found = next((path for place in places if (path := Path(place) / name).exists()), None)
        if found is None:
            raise IGRError(
                f"models/{self.name} has no {name}: put {self.content} there, or choose another model in {self.loader}."
            )
        return found

    def _is_in_model_folder(self, file: Path) -> bool:
        if file.parent == Path():  # a stray config.json next to single files does not belong to them
            return False
        return folder_paths.get_full_path(self.name, str(file.parent / "config.json")) is not None


BUNDLES = ModelFolder(
    "igr", "IGR Load", "a bundle", INCLUDED_BUNDLE, INCLUDED_NAME, takes_files=True, takes_folders=False
)
SEGMENTERS = ModelFolder(
    "sam2",
    "IGR Load Segmenter",
    "a SAM 2 folder or file",
    INCLUDED_SEGMENTER,
    f"{INCLUDED_NAME} segmenter",
    takes_files=True,
    takes_folders=True,
)
PARSERS = ModelFolder(
    "human_parsing",
    "IGR Load Parser",
    "a parser folder",
    INCLUDED_PARSER,
    f"{INCLUDED_NAME} parser",
    takes_files=False,
    takes_folders=True,
)
MODEL_FOLDERS = (BUNDLES, SEGMENTERS, PARSERS)


def input_root() -> Path:
    """ComfyUI's input folder."""
    return Path(folder_paths.get_input_directory())


def output_root() -> Path:
    """ComfyUI's output folder."""
    return Path(folder_paths.get_output_directory())


def find_file(kind: str, subfolder: str, filename: str) -> Path | None:
    """Path of a file in ComfyUI's input, output or temp folder; None if it does not exist or is outside that folder."""
    if kind not in ("input", "output", "temp"):
        return None
    try:
        root = resolved(Path(folder_paths.get_directory_by_type(kind)))
        path = resolved(root / subfolder / filename)
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError):  # invalid file names
        return None


@cache
def undoes_mirroring() -> bool:
    """Whether Load Image mirrors a photo if its EXIF tag requires it; ComfyUI v0.29.0 rotates the photo instead."""
    name = f"igr_mirrored_{os.getpid()}.jpg"
    path = Path(folder_paths.get_temp_directory()) / name
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 2
    test_image = Image.new("L", (64, 32))
    test_image.paste(255, (32, 0, 64, 16))  # the upper left is white only if the photo is mirrored
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        test_image.save(path, exif=exif)
        image, *_ = importlib.import_module("nodes").LoadImage().load_image(f"{name} [temp]")
        return bool(image[0, :12, :24].mean() > 0.5)
    except Exception:  # another version of ComfyUI; older ones undo mirroring
        logger.warning("Could not determine how Load Image reads mirrored photos.", exc_info=True)
        return True
    finally:
        path.unlink(missing_ok=True)
