"""The command `catalogue`: files that are unusual, missing, damaged or in conflict with each other."""

import dataclasses
import os
import shutil
import uuid
from pathlib import Path

import pytest

from igr_core.catalogue.report.report import Report
from igr_core.catalogue.run import in_use
from igr_core.catalogue.settings import Output
from igr_core.catalogue.table.items import items_of
from igr_core.catalogue.table.rows import read_table
from igr_core.errors import IGRError
from igr_core.included import INCLUDED_PARSER
from igr_core.storage import Folder
from tests.support.catalogue.table import write_table
from tests.support.cli_kit import fails, files, invoke, restore, write_pair
from tests.support.models.tiny_sam2 import save_sam2

pytest.importorskip("pyarrow", reason="only the extra `catalogue` writes reports")
pytest.importorskip("jinja2", reason="only the extra `catalogue` writes reports")
QUICK = ("--steps", 1, "--guidance", 1, "--device", "cpu", "--batch", 4)


def run(source: object, out: object, bundle: Path, *more: object):
    return invoke("catalogue", source, "--out", out, "--bundle", bundle, *QUICK, *more)


def masked(folder: Path, bundle: Path, *more: object):
    """A run of the photos in a folder, with masks."""
    return run(folder / "photos", folder / "out", bundle, "--masks", folder / "masks", "--category", "upper", *more)


def test_a_photo_whose_name_is_not_utf8_fails_alone(tmp_path: Path, bundle: Path) -> None:
    write_pair(tmp_path, "anna.png")
    photo, mask = write_pair(tmp_path, "bert.png")
    try:
        photo.rename(photo.with_name("caf\udce9.png"))
    except OSError:
        pytest.skip("this file system has only names in UTF-8")
    mask.rename(mask.with_name("caf\udce9.png"))
    result = masked(tmp_path, bundle)
    assert result.exit_code == 1 and "1 restored, 1 failed" in result.stdout
    assert "row 2: The path of the photo or its mask is not valid UTF-8: rename the file" in result.stderr
    found = Report(Output(str(tmp_path / "out"))).outcomes
    assert found["anna"].status == "restored" and found["row 2"].photo.endswith("caf\\xe9.png")
    assert {"report.csv", "report.html", "report.parquet"} <= set(files(tmp_path / "out"))
    assert "0 restored, 1 already done, 1 failed" in masked(tmp_path, bundle).stdout


def test_files_in_the_photo_folder_that_are_no_images_are_named(tmp_path: Path, bundle: Path) -> None:
    photo, _ = write_pair(tmp_path, "anna.png")
    for name in ("readme.docx", "IMG_1", "notes.txt"):
        (photo.parent / name).write_bytes(b"?")
    (photo.parent / "inner").mkdir()
    result = masked(tmp_path, bundle)
    note = "Note: these files were skipped because they are not images: IMG_1, readme.docx.\n"
    assert result.exit_code == 0 and note in result.stderr
    asked = ("--mask", tmp_path / "masks", "--out", tmp_path / "other", "--bundle", bundle, "--category", "upper")
    assert note in invoke("restore", photo.parent, *asked, "--steps", 1, "--device", "cpu").stderr


@pytest.mark.parametrize("gone", ["garments", "evidence", "thumbnails"])
def test_a_garment_is_restored_again_if_one_of_its_files_was_deleted(tmp_path: Path, bundle: Path, gone: str) -> None:
    table, out = write_table(tmp_path, "ab"), tmp_path / "out"
    assert run(table, out, bundle).exit_code == 0
    (file,) = (out / gone).glob("b.*")
    file.unlink()
    result = run(table, out, bundle)
    assert result.exit_code == 0 and "1 restored, 1 already done, 0 failed" in result.stdout
    assert (
        "Note: these garments will be restored again because their files are missing: b.\n" in result.stderr
        and file.is_file()
    )
    result = run(table, out, bundle)
    assert "0 restored, 2 already done" in result.stdout and "will be restored again" not in result.stderr


def test_images_of_older_settings_go_although_their_garments_are_done(tmp_path: Path, bundle: Path) -> None:
    """A run with --overwrite may be killed after it wrote an image and its record but before it removed the old one."""
    table, out = write_table(tmp_path, "ab"), tmp_path / "out"
    assert run(table, out, bundle, "--no-evidence").exit_code == 0
    for old in (out / "garments" / "a.webp", out / "evidence" / "b.png"):
        old.parent.mkdir(exist_ok=True)
        old.write_bytes(b"old")
    assert "0 restored, 2 already done" in run(table, out, bundle, "--no-evidence").stdout
    assert files(out / "garments") == ["a.png", "b.png"] and files(out / "evidence") == []


def test_at_a_url_each_folder_is_listed_once_to_find_deleted_files(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = pytest.importorskip("fsspec.implementations.memory", reason="only the extra `catalogue` reads URLs")
    table, out = write_table(tmp_path, "abcd"), f"memory://{uuid.uuid4()}"
    assert run(table, out, bundle, "--no-evidence").exit_code == 0
    Folder(f"{out}/garments").remove("c.png")
    listed: list[str] = []
    before = memory.MemoryFileSystem.ls

    def ls(self: object, path: str, **more: object):
        listed.append(path.rpartition("/")[2])
        return before(self, path, **more)

    monkeypatch.setattr(memory.MemoryFileSystem, "ls", ls)
    assert "1 restored, 3 already done" in run(table, out, bundle, "--no-evidence").stdout
    assert listed.count("garments") == listed.count("thumbnails") == 1
    assert Folder(f"{out}/garments").names() == ["a.png", "b.png", "c.png", "d.png"]


def test_a_project_that_was_moved_is_continued(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "old").mkdir()
    for name in ("anna.png", "bert.png"):
        write_pair(tmp_path / "old", name)
    assert "2 restored" in masked(tmp_path / "old", bundle).stdout
    (tmp_path / "old").rename(tmp_path / "new")
    result = masked(tmp_path / "new", bundle)
    assert "0 restored, 2 already done" in result.stdout and "Note: these" not in result.stderr
    shutil.copytree(tmp_path / "new", tmp_path / "copy")
    assert "0 restored, 2 already done" in masked(tmp_path / "copy", bundle).stdout
    photo = tmp_path / "copy" / "photos" / "anna.png"
    photo.write_bytes(photo.read_bytes() + b" ")
    (tmp_path / "new").rename(tmp_path / "old")
    result = masked(tmp_path / "copy", bundle)
    assert "restored again because their rows have changed: anna." in result.stderr, "other photos of the same names"


def test_a_report_of_full_paths_is_continued(tmp_path: Path, bundle: Path) -> None:
    table, output = write_table(tmp_path, "ab"), Output(str(tmp_path / "out"))
    run(table, output.url, bundle)
    items, report = items_of(read_table(str(table)).rows).items, Report(output)
    for item in items:
        assert report.outcomes[item.name].inputs != item.inputs
        report.add(dataclasses.replace(report.outcomes[item.name], inputs=item.inputs))
    report.write("")
    assert "0 restored, 2 already done" in run(table, output.url, bundle).stdout


def test_inputs_that_a_run_would_replace_are_refused(tmp_path: Path, bundle: Path) -> None:
    table, out = write_table(tmp_path, "a"), tmp_path / "out"
    assert run(table, out, bundle).exit_code == 0
    spelled = tmp_path / "masks" / ".." / "out"
    image = (out / "garments" / "a.png").read_bytes()
    among, remedy = "is among the files that this run would write", "use another --out"
    fails(run(out / "report.csv", spelled, bundle), 2, f"report.csv {among}: {remedy}")
    fails(run(out / "garments", spelled, bundle, "--category", "upper"), 2, among, remedy)
    (tmp_path / "again.csv").write_text("photo,category,name\nout/garments/a.png,upper,a\n")
    fails(run(tmp_path / "again.csv", spelled, bundle, "--overwrite"), 2, f"a.png {among}: {remedy}")
    asked = ("--masks", out / "evidence", "--category", "upper")
    fails(run(tmp_path / "photos", spelled, bundle, *asked), 2, "evidence", remedy)
    assert (out / "garments" / "a.png").read_bytes() == image


def test_a_further_photo_without_a_mask_is_left_out_until_it_has_one(tmp_path: Path, bundle: Path) -> None:
    """As in `restore`; no parser is needed for it."""
    write_pair(tmp_path, "anna.png")
    _, mask = write_pair(tmp_path, "anna__2.png")
    kept = mask.read_bytes()
    mask.unlink()
    result = masked(tmp_path, bundle, "--parser", "gone")
    assert result.exit_code == 0 and "Note: 1 garment was restored without some of the photos" in result.stderr
    found = Report(Output(str(tmp_path / "out"))).outcomes["anna"]
    assert found.photos == 1 and f"The photo has no mask: put anna__2.png into {mask.parent}." in found.warnings
    mask.write_bytes(kept)
    assert "1 restored, 0 failed" in masked(tmp_path, bundle, "--parser", "gone").stdout
    assert Report(Output(str(tmp_path / "out"))).outcomes["anna"].photos == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_table_that_is_a_pipe_or_a_device_is_refused(tmp_path: Path, bundle: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "null.parquet").symlink_to("/dev/null")
    for name in ("pipe.csv", "zero.csv", "null.parquet"):
        fails(run(tmp_path / name, tmp_path / "out", bundle), 1, f"{name} is not a file: check the path")
    (tmp_path / "out").mkdir()
    os.mkfifo(tmp_path / "out" / "report.parquet")
    fails(run(write_table(tmp_path, "a"), tmp_path / "out", bundle), 1, "report.parquet is not a file")


def test_the_photo_folder_is_no_folder_of_masks(tmp_path: Path, bundle: Path) -> None:
    photo, _ = write_pair(tmp_path, "anna.png")
    shutil.rmtree(tmp_path / "masks")
    (tmp_path / "masks").symlink_to(photo.parent)
    fails(masked(tmp_path, bundle), 1, "itself: put the masks into a separate folder")


def test_a_loop_of_links_among_the_photos_fails_alone(tmp_path: Path, bundle: Path) -> None:
    """As in `restore`."""
    photo, mask = write_pair(tmp_path, "anna.png")
    for path in (photo, mask):
        path.with_name("loop.png").symlink_to("loop.png")
    for result in (
        masked(tmp_path, bundle),
        restore(photo.parent, mask.parent, tmp_path / "restored", bundle),
    ):
        assert result.exit_code == 1 and "1 restored, 1 failed" in result.stdout and "Failed: loop" in result.stderr


@pytest.mark.parametrize(
    ("name", "is_folder"), [(".lock", True), ("report.html", True), (".begun", False), ("garments", False)]
)
def test_a_file_in_place_of_a_folder_or_a_folder_in_place_of_a_file_is_refused_before_the_run(
    tmp_path: Path, bundle: Path, name: str, is_folder: bool
) -> None:
    path = tmp_path / "out" / name
    path.parent.mkdir()
    path.mkdir() if is_folder else path.write_bytes(b"")
    kinds = "a folder, but must be a file" if is_folder else "a file, but must be a folder"
    result = run(write_table(tmp_path, "a"), path.parent, bundle)
    fails(result, 1, f"{path} is {kinds}: rename it, or use another --out")
    assert files(path.parent) == [name]


def test_a_lock_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    with (
        pytest.raises(IGRError, match=r"\.lock cannot be locked \(Is a directory\): remove it"),
        in_use(Output(str(tmp_path))),
    ):
        pass


def test_the_files_of_models_are_checked_before_anything_is_written(tmp_path: Path, bundle: Path) -> None:
    photo, _ = write_pair(tmp_path, "a.png")
    sam2 = save_sam2(tmp_path / "sam2")
    weights = next(sam2.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-100])
    parser, out = tmp_path / "parser", tmp_path / "out"
    shutil.copytree(INCLUDED_PARSER, parser)
    (parser / "model.safetensors").write_bytes((parser / "model.safetensors").read_bytes()[:-100])
    fails(run(photo.parent, out, bundle, "--parser", parser), 1, f"{parser} cannot be loaded as a human parser")
    fails(run(photo.parent, out, bundle, "--segmenter", sam2), 1, f"{sam2} cannot be loaded as SAM 2")
    fails(run(photo.parent, out, bundle, "--segmenter", "/dev/null"), 1, "/dev/null is not a file: choose a .safe")
    fails(run(photo.parent, out, bundle, "--parser", weights), 2, f"--parser {weights} is a file: specify the folder")
    assert not out.exists()


def test_a_model_that_cannot_be_loaded_leaves_no_report(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise IGRError("The model is damaged: get it again.")

    monkeypatch.setattr("igr_core.catalogue.run.Restoring", broken)
    fails(run(write_table(tmp_path, "a"), tmp_path / "out", bundle), 1, "The model is damaged")
    assert files(tmp_path / "out") in ([".lock"], [])


def test_rows_of_a_spreadsheet_that_are_odd_are_explained(tmp_path: Path, bundle: Path) -> None:
    write_table(tmp_path, "a")
    table = tmp_path / "odd.csv"
    table.write_text("photo;mask;category;\nphotos/a.png;masks/a.png;upper;\n;;;\nphotos\\a.png;masks/a.png;upper;\n")
    result = run(table, tmp_path / "out", bundle)
    assert "1 restored, 1 failed" in result.stdout and "not used" not in result.stderr
    assert f"row 3: The path {tmp_path}/photos\\a.png has backslashes: use / between its folders." in result.stderr
