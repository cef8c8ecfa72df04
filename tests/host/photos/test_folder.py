"""IGR Photo Folder in the host: photos and masks are matched by name, bad ones are reported, and a run continues."""

from __future__ import annotations

import os
import shutil
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.host.graphs import SMALL_PARSER, restore, with_inputs
from tests.support.host.photo_folders import LEVELS, pictures, put, reading
from tests.support.host.server import ROOT, PromptFailed, PromptRefused, Server
from tests.support.image_files import unusable_files


def names(outputs: dict[str, Any], case: str) -> list[str]:
    """Names of the photos that were read."""
    return [prefix.removeprefix(f"{case}/") for prefix in outputs["prefixes"]["text"]]


def test_photos_and_masks_are_paired_by_name(server: Server, case: str) -> None:
    for name, ending in (("dora", ".png"), ("anna", ".webp"), ("carl", ".jpg"), ("bert", ".PNG")):
        put(server, case, name, ending)
    shutil.copy(server.base / "input" / case / "masks" / "anna.png", server.base / "input" / case / "masks" / "a.png")
    outputs = server.run(reading(case))["outputs"]
    assert names(outputs, case) == list(LEVELS)
    assert outputs["categories"]["text"] == ["upper"] * 4
    assert [one["filename"] for one in outputs["save"]["images"]] == [f"{name}_00001_.png" for name in LEVELS]
    photos, masks = (pictures(server, outputs[name]["images"]) for name in ("save", "show"))
    assert [round(float(one.mean())) for one in photos] == pytest.approx(list(LEVELS.values()), abs=1)
    assert [int((one[:, 100, 0] > 127).sum()) for one in masks] == list(LEVELS.values())
    assert [one.shape for one in photos] == [one.shape for one in masks] and len({one.shape for one in photos}) == 4
    assert not outputs["folder"].get("text") and len(outputs["folder"]["images"]) == 4


def test_bad_photos_are_skipped_with_a_note(server: Server, case: str) -> None:
    put(server, case, "anna")
    put(server, case, "bert").write_bytes(b"no picture")
    put(server, case, "carl", mask=(30, 30))
    Image.new("L", (303, 400)).save(put(server, case, "dora").parents[1] / "masks" / "dora.png")
    folder = server.base / "input" / case / "photos"
    shutil.copy(folder / "anna.png", folder / "emil.png")
    shutil.copy(folder / "anna.png", folder / "anna.webp")
    (server.base / "secret.png").write_bytes((folder / "anna.png").read_bytes())
    (folder / "frida.png").symlink_to(server.base / "secret.png")
    shutil.copy(folder.parent / "masks" / "anna.png", folder.parent / "masks" / "frida.png")
    outputs = server.run(reading(case))["outputs"]
    assert names(outputs, case) == ["anna"] and len(outputs["folder"]["images"]) == 1
    notes = outputs["folder"]["text"]
    words = {
        "anna.webp: ": "same name as anna.png",
        "bert.png: ": "not a supported image",
        "carl.png: ": "resize the mask to 302×400",
        "dora.png: ": "mask is empty",
        "emil.png: ": "no mask: put emil.png into",
        "frida.png: ": "is a link to a file outside",
    }
    assert len(notes) == len(words)
    for note, (start, reason) in zip(notes, words.items(), strict=True):
        assert note.startswith(start) and reason in note and "--" not in note
        assert note in server.log.read_text(encoding="utf-8", errors="replace")


def test_names_and_files_of_every_kind_do_no_harm(server: Server, case: str) -> None:
    """A Latin-1 name, a name that contains a script, bombs and PostScript: the good photos are read, the others are
    listed.
    """
    photo = put(server, case, "anna")
    put(server, case, "bert", ".gif")
    masks = photo.parents[1] / "masks"
    latin = os.fsdecode(b"caf\xe9.png")
    shutil.copy(photo, photo.with_name(latin))
    shutil.copy(masks / "anna.png", masks / latin)
    for name in ("<svg onload=alert(2)>.png", "line\nbreak.png", os.fsdecode(b"no mask \xe9.png")):
        shutil.copy(photo, photo.with_name(name))
    (photo.parent / "film.mp4").touch()
    for kind, (data, _) in unusable_files().items():
        (photo.parent / f"z {kind}.png").write_bytes(data)
        shutil.copy(masks / "anna.png", masks / f"z {kind}.png")
    outputs = server.run(reading(case))["outputs"]
    assert len(outputs["save"]["images"]) in (3, 4)  # with the photo of the profile bomb, if it is read
    text = "\n".join(outputs["folder"]["text"])
    assert "‹svg onload=alert(2)›.png: The photo has no mask" in text and "<svg" not in text
    assert r"line\nbreak.png: The photo has no mask" in text
    assert r"no mask \xe9.png: The photo has no mask" in text
    assert "Files that are not images were skipped: film.mp4" in text
    for kind in set(unusable_files()) - {"profile bomb"}:
        assert f"z {kind}.png: " in text, kind


def test_a_mask_at_the_edge_is_used_with_a_warning(server: Server, case: str) -> None:
    photo = put(server, case, "anna")
    mask = Image.new("L", (300, 400))
    mask.paste(255, (0, 0, 300, 90))
    mask.save(photo.parents[1] / "masks" / "anna.png")
    outputs = server.run(reading(case))["outputs"]
    assert names(outputs, case) == ["anna"]
    assert "touches the top" in outputs["folder"]["text"][0]


def test_no_usable_photo_ends_the_run_with_the_reasons(server: Server, case: str) -> None:
    for name in LEVELS:
        put(server, case, name, mask=(30, 30))
    with pytest.raises(
        PromptFailed, match="IGRPhotoFolder.*None of the remaining photos.*anna.png: .*resize.*1 more failed"
    ):
        server.run(reading(case, limit=1))


def test_categories_come_from_the_table(server: Server, case: str) -> None:
    for name in LEVELS:
        put(server, case, name)
    graph = reading(case, category="from category.csv")
    with pytest.raises(PromptFailed, match="has no category.csv: add one with the columns name,category"):
        server.run(graph)
    table = server.base / "input" / case / "photos" / "category.csv"
    table.write_text("name,category\ncarl.png,full\nanna,lower\nbert,coat\n", encoding="utf-8")
    outputs = server.run(graph)["outputs"]
    assert names(outputs, case) == ["anna", "carl"] and outputs["categories"]["text"] == ["lower", "full"]
    assert "choose upper, lower or full" in outputs["folder"]["text"][0] and "dora" in outputs["folder"]["text"][1]


def test_the_next_run_goes_on_where_the_last_one_stopped(server: Server, case: str) -> None:
    for name in ("anna", "bert", "carl"):
        put(server, case, name)
    put(server, case, "anna", mask=(30, 30))  # a failed photo does not count towards the limit
    graph = reading(case, limit=1)
    runs = [server.start(graph) for _ in range(2)]
    assert [names(server.finish(run)["outputs"], case) for run in runs] == [["bert"], ["carl"]]
    put(server, case, "anna")
    put(server, case, "dora")
    assert names(server.run(reading(case))["outputs"], case) == ["anna", "dora"]
    done = server.run(reading(case))
    assert done["status"]["status_str"] == "success" and "save" not in done["outputs"]
    (note,) = done["outputs"]["folder"]["igr_notes"]
    assert "Nothing left to do" in note["text"] and "all 4 photos" in note["text"] and not note["warning"]
    assert names(server.run(reading(case, again=True))["outputs"], case) == list(LEVELS)


def test_changed_files_are_detected_and_unchanged_ones_are_not_read_again(server: Server, case: str) -> None:
    def seen() -> tuple[list[str], list[str]]:
        history = server.run(reading(case, again=True))
        ((_, cached),) = (one for one in history["status"]["messages"] if one[0] == "execution_cached")
        return names(history["outputs"], case), cached["nodes"]

    put(server, case, "anna")
    assert seen()[0] == ["anna"]
    assert "folder" in seen()[1]
    put(server, case, "bert")
    found, cached = seen()
    assert found == ["anna", "bert"] and "folder" not in cached


WRONG = {
    "climbing": ({"photos": "../../output"}, "photos .*not a folder inside"),
    "climbing in between": ({"masks": "{case}/../../user"}, r"masks.*not (a folder inside|in )"),
    "absolute": ({"photos": "/etc"}, "photos .*not a folder inside"),
    "link": ({"photos": "{case}/out"}, "photos .*not a folder inside.*choose one from the list"),
    "not there": ({"photos": "{case}/photo"}, "photos .*is not in .*put the folder there"),
    "no such masks": ({"masks": "{case}/mask"}, "masks.*not in"),
    "same": ({"masks": "{case}/photos"}, "which is the photos folder: choose the folder that contains the masks"),
    "prefix climbs": ({"save_to": "../input/"}, "save_to .*points outside the output folder"),
    "prefix is absolute": ({"save_to": "/garments/"}, "save_to .*points outside the output folder"),
    "prefix changes": ({"save_to": "%year%/"}, "save_to .*contains %"),
    "category": ({"category": "shoes"}, "category"),
    "limit": ({"limit": -1}, "limit"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_invalid_folders_are_refused_at_once(server: Server, case: str, wrong: str) -> None:
    photo = put(server, case, "anna")
    if not (photo.parents[1] / "out").is_symlink():
        (photo.parents[1] / "out").symlink_to(server.base / "output")
    inputs, sentence = WRONG[wrong]
    inputs = {name: value.format(case=case) if isinstance(value, str) else value for name, value in inputs.items()}
    # older hosts check the values of options only when a node runs, so the node reports them
    with pytest.raises((PromptRefused, PromptFailed), match=f"(?i){sentence}") as refused:
        server.run(reading(case, **inputs))
    if "put the folder there" in sentence:  # reported once, not for each input
        assert str(refused.value).count("put the folder there") == 1


def test_garments_are_found_in_photos_without_masks(server: Server, case: str) -> None:
    """The examples, as after installation: the parser finds the garment of each by its category."""
    graph = with_inputs(restore(), "view", person=["folder", 0], mask=["folder", 1], category=["folder", 2])
    graph = with_inputs(graph, "view", without_mask=f"find: {SMALL_PARSER}")
    graph = with_inputs(graph, "encode", category=["folder", 2])
    del graph["person"], graph["show"]
    reader = reading(case, photos="examples (rendered persons)", masks="none (Garment Mask/Crop decides)")
    graph |= {name: reader[name] for name in GIVEN}
    outputs = server.run(with_inputs(graph, "save", images=["decode", 0]))["outputs"]
    names = [one["filename"] for one in outputs["save"]["images"]]
    assert names == [f"{name}_00001_.png" for name in ("full", "lower", "outfit", "upper", "upper_closeup")]
    assert [text.split(" ")[5] for text in outputs["view"]["text"]] == ["full,", "lower,", "lower,", "upper,", "upper,"]


def test_folders_below_input_are_offered(server: Server, case: str) -> None:
    put(server, case, "anna")
    required = server.get("/object_info/IGRPhotoFolder")["IGRPhotoFolder"]["input"]["required"]
    for name in ("photos", "masks"):
        (_, options) = required[name]
        assert f"{case}/photos" in str(required[name]) and options["default"] == name


def test_every_garment_is_saved_under_its_photos_name(server: Server, case: str) -> None:
    """The pack's nodes restore the lists, each photo with its own category."""
    for folder, ending in (("photos", ".webp"), ("masks", "_mask.png")):
        (server.base / "input" / case / folder).mkdir(parents=True, exist_ok=True)
        for name in ("upper", "full"):
            source = ROOT / "nodes" / "examples" / f"{name}{ending}"
            shutil.copy(source, server.base / "input" / case / folder / f"{name}{source.suffix}")
    split = server.base / "input" / case / "masks" / "full.png"  # the first photo has a warning, the second has none
    with Image.open(split) as mask:
        halves = np.array(mask.convert("L"))
    halves[380:400] = 0
    Image.fromarray(halves).save(split)
    table = server.base / "input" / case / "photos" / "category.csv"
    table.write_text("name,category\nupper,upper\nfull,full\n", encoding="utf-8")
    graph = with_inputs(restore(), "view", person=["folder", 0], mask=["folder", 1])
    graph = with_inputs(graph, "encode", category=["folder", 2])
    del graph["person"], graph["show"]
    given = {name: one for name, one in reading(case, category="from category.csv").items() if name in GIVEN}
    graph = with_inputs({**graph, **given}, "save", images=["decode", 0])
    outputs = server.run(graph)["outputs"]
    assert len(outputs["view"]["text"]) == 1 and "2 separate pieces" in outputs["view"]["text"][0]
    images = outputs["save"]["images"]
    assert [one["filename"] for one in images] == ["full_00001_.png", "upper_00001_.png"]
    full, upper = pictures(server, images)
    assert full.shape == upper.shape and not np.array_equal(full, upper)


GIVEN = ("folder", "save")
"""Inputs that a restoring graph copies from a reading graph."""
