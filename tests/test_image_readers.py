"""All code that reads photos or masks treats each type of file in the same way, and no other module opens images."""

from __future__ import annotations

import ast
import io
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from igr_core.cli.mask import _prompt
from igr_core.errors import IGRError
from igr_core.model.config import ViewConfig
from igr_core.photo.image_files import IMAGE_SUFFIXES
from igr_core.photo.images import load_photo
from igr_core.restore.jobs import Report, Settings, run_jobs
from igr_core.restore.planning import Job
from tests.support.image_files import (
    BLOCK,
    INSIDE,
    PHOTO,
    POSTSCRIPT,
    SIZE,
    kinds_of_masks,
    kinds_of_photos,
    saved,
    unusable_files,
    unusable_masks,
)
from tests.support.nodes.pack import part
from training.data.layouts.folder import PlainFolder
from training.data.layouts.tars import TarPairs
from training.data.rendered.records import shards
from training.data.rendered.studio import storing
from training.evaluation.images.folders import faults, read_picture, read_silhouette

ROOT = Path(__file__).parents[1]
READER = "igr_core/photo/image_files.py"
OWN_BYTES = {"training/data/rendered/studio/storing.py", "training/data/rendered/dressing/image/lens.py"}
"""These modules decode images encoded by the generator; their code is part of the fingerprint of existing records."""


class Seen:
    """Replaces the restorer of a run, and stores the view that it receives."""

    def restore(self, view, category, sampling, **_) -> torch.Tensor:
        self.person, self.mask = view.person[0], view.mask[0, 0]
        return view.person


def by_command_line(person: Path, mask: Path, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    seen, report = Seen(), Report()
    job = Job(person, mask, "upper", folder / "out.png")
    run_jobs([job], report, Settings(SIZE, ViewConfig(mode="whole")), lambda: seen)
    if report.failed:
        raise IGRError(report.failed[person.name])
    return seen.person, seen.mask


def by_photo_folder_node(person: Path, mask: Path, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    module = part("nodes.photos.catalogue")
    catalogue = module.Catalogue(folder, folder, folder, folder, "garments/")
    pair = part("igr_core.restore.pairing").Pair(person, mask, "upper")
    try:
        loaded = module.load_pair(pair, catalogue)
    except part("igr_core.errors").IGRError as error:
        raise IGRError(str(error)) from error
    return loaded.person[0].movedim(-1, 0), loaded.mask[0]


def by_data_folder(person: Path, mask: Path, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    for name, path in (("person", person), ("mask", mask), ("garment", person)):
        (folder / "data" / name).mkdir(parents=True)
        (folder / "data" / name / f"anna{path.suffix}").write_bytes(path.read_bytes())
    (folder / "data" / "category.csv").write_text("anna,upper\n")
    return unit(PlainFolder(folder / "data"))


def by_shards(person: Path, mask: Path, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    with tarfile.open(folder / "shard-000000.tar", "w") as tar:
        for name, data in (
            ("anna.json", b'{"category": "upper"}'),
            (f"anna.person{person.suffix.lower()}", person.read_bytes()),
            (f"anna.mask{mask.suffix.lower()}", mask.read_bytes()),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return unit(TarPairs(str(folder / "shard-000000.tar")))


def unit(source: PlainFolder | TarPairs) -> tuple[torch.Tensor, torch.Tensor]:
    pictures = source.person(0), source.mask(0)
    person, mask = (torch.from_numpy(np.array(one)).float() / 255 for one in pictures)
    return person.movedim(-1, 0), mask


def by_evaluation(person: Path, mask: Path, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    return read_picture(person).float() / 255, read_silhouette(mask)[0]


def by_rough_mask(person: Path, mask: Path, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """`igr_core mask --rough`."""
    photo = load_photo(person)
    prompt = _prompt(person, photo, [], [], None, mask)
    assert prompt.mask is not None
    return photo[0], prompt.mask[0, 0]


Reader = Callable[[Path, Path, Path], tuple[torch.Tensor, torch.Tensor]]
READERS: dict[str, Reader] = {
    "command line": by_command_line,
    "photo folder node": by_photo_folder_node,
    "data folder": by_data_folder,
    "shards": by_shards,
    "evaluation": by_evaluation,
    "rough mask of the command line": by_rough_mask,
}


def files(folder: Path, person: bytes, mask: bytes, endings: tuple[str, str] = (".png", ".png")) -> tuple[Path, Path]:
    paths = folder / f"person{endings[0]}", folder / f"mask{endings[1]}"
    for path, data in zip(paths, (person, mask), strict=True):
        path.write_bytes(data)
    return paths


@pytest.mark.parametrize("reader", READERS)
def test_every_kind_of_photo_is_read_alike(reader: str, tmp_path: Path) -> None:
    right = torch.from_numpy(PHOTO).movedim(-1, 0).float() / 255
    for number, (kind, (ending, data)) in enumerate(kinds_of_photos().items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        person, _ = READERS[reader](*files(folder, data, saved(Image.fromarray(BLOCK)), (ending, ".png")), folder)
        assert person.shape == right.shape, kind
        assert (person - right).abs().max() < 8 / 255, kind


@pytest.mark.parametrize("reader", READERS)
def test_every_kind_of_mask_is_read_alike(reader: str, tmp_path: Path) -> None:
    for number, (kind, (ending, data)) in enumerate(kinds_of_masks().items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        _, mask = READERS[reader](*files(folder, saved(Image.fromarray(PHOTO)), data, (".png", ending)), folder)
        assert tuple(mask.shape) == BLOCK.shape, kind
        assert torch.equal(mask >= 0.5, torch.from_numpy(INSIDE)), kind
        assert float(mask[torch.from_numpy(INSIDE)].mean()) > 0.99, f"{kind} darkens the garment"


@pytest.mark.parametrize("reader", READERS)
def test_files_that_are_not_masks_are_refused_by_name(reader: str, tmp_path: Path) -> None:
    for number, (kind, (data, words)) in enumerate(unusable_masks().items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(IGRError, match=f"mask.png.*{words}|anna.*{words}"):
            READERS[reader](*files(folder, saved(Image.fromarray(PHOTO)), data), folder)
            pytest.fail(kind)


@pytest.mark.parametrize("reader", READERS)
def test_files_that_cannot_be_read_are_named_and_nothing_is_run(
    reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: object, **_: object) -> None:
        raise AssertionError(f"{words} was run")

    monkeypatch.setattr("subprocess.Popen", run)
    good_photo, good_mask = saved(Image.fromarray(PHOTO)), saved(Image.fromarray(BLOCK))
    for number, (kind, (data, words)) in enumerate(unusable_files().items()):
        for which in ("person", "mask"):
            folder = tmp_path / f"{number}-{which}"
            folder.mkdir()
            pair = (data, good_mask) if which == "person" else (good_photo, data)
            paths = files(folder, *pair)
            if kind == "profile bomb" and which == "mask":
                continue  # masks have no colours: the profile is not read
            try:
                READERS[reader](*paths, folder)
            except IGRError as error:
                assert any(name in str(error) for name in (f"{which}.png", f"anna.{which}", f"{which}/anna")), kind
                assert re.search(words, str(error)), (kind, str(error))
            else:
                assert kind == "profile bomb", kind


def test_the_bytes_of_a_rendered_shard_never_start_ghostscript() -> None:
    assert shards.EpsImagePlugin.gs_binary is False  # otherwise Pillow looks for it when it is needed
    with pytest.raises(OSError, match="Ghostscript"):
        storing._values(POSTSCRIPT)


def test_faults_of_images_to_score_are_sentences(tmp_path: Path) -> None:
    paths = {}
    for name, (data, _) in unusable_files().items():
        paths[name] = tmp_path / f"{name}.png"
        paths[name].write_bytes(data)
    found = faults(paths)
    assert set(found) >= set(paths) - {"profile bomb"} and all("\n" not in sentence for sentence in found.values())


def test_suffixes_of_images_are_those_that_can_be_read() -> None:
    known = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    assert set(IMAGE_SUFFIXES) - {".heic", ".heif", ".avif"} <= known


def opens_images(path: Path) -> bool:
    """Whether a module calls Image.open, or imports a library that reads images from files."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr == "open" and getattr(node.value, "id", "") == "Image":
            return True
        modules = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if any(name.split(".")[0] in ("cv2", "imageio") or name == "torchvision.io" for name in modules):
            return True
    return False


def test_only_one_module_opens_images() -> None:
    modules = [path for room in ("igr_core", "nodes", "training") for path in (ROOT / room).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix() for path in modules if opens_images(path)}
    assert found == {READER} | OWN_BYTES
