"""The contact sheet without a host: the drawing, the lists that belong together, and the report."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.nodes.pack import part

sheet, report, inputs = (part(f"nodes.photos.{name}") for name in ("sheet", "sheet_report", "sheet_inputs"))
IGRError = part("igr_core.errors").IGRError
RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


def plain(colour: tuple[float, float, float], height: int = 512, width: int = 384) -> torch.Tensor:
    """An image (3, H, W) of one colour."""
    return torch.tensor(colour).view(3, 1, 1).expand(3, height, width)


def pair(title: str = "1. anna", facts: str = "upper", warning: str = "", **sizes: int) -> Any:
    return sheet.Pair(sheet.reduced(plain(RED, **sizes)), sheet.reduced(plain(BLUE)), title, facts, warning)


def coloured(drawn: torch.Tensor, colour: tuple[float, float, float]) -> torch.Tensor:
    """Pixels (H, W) of a sheet (1, H, W, 3) that have this colour."""
    return (drawn[0] == torch.tensor(colour)).all(-1)


# Drawing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (5, 2), (20, 4), (48, 6)])
def test_pairs_fill_a_sheet_that_is_about_square(count: int, columns: int) -> None:
    drawn = sheet.draw_sheet([pair(str(number)) for number in range(count)])
    box = sheet.BOX[0] * sheet.BOX[1]
    assert int(coloured(drawn, RED).sum()) == int(coloured(drawn, BLUE).sum()) == count * box
    _, height, width, _ = drawn.shape
    assert width // (2 * sheet.BOX[0]) == columns and 0.5 < width / height < 1.5


def test_each_photo_is_left_of_its_garment_with_the_text_below() -> None:
    drawn = sheet.draw_sheet([pair()])
    red, blue = coloured(drawn, RED).nonzero(), coloured(drawn, BLUE).nonzero()
    assert red[:, 1].max() < blue[:, 1].min() and red[:, 0].min() == blue[:, 0].min()
    ink = (drawn[0, int(red[:, 0].max()) + 1 :] < 0.5).all(-1)
    assert ink.any() and not (drawn[0, : int(red[:, 0].min())] < 1).any()
    assert not sheet.draw_sheet([pair("", "")])[0, int(red[:, 0].max()) + 1 :].lt(1).any()


def test_images_of_any_shape_fit() -> None:
    for height, width in ((20, 2000), (2000, 20), (16, 16)):
        drawn = sheet.draw_sheet([pair(height=height, width=width)])
        found = coloured(drawn, RED).nonzero()
        if height * width > 1000:  # Pillow keeps at least one row or column
            assert (found.max(0).values - found.min(0).values + 1).max() <= max(sheet.BOX)
        assert drawn.shape == sheet.draw_sheet([pair()]).shape


@pytest.mark.parametrize("name", ["x" * 250, "WWW " * 60, "1. " + "größe_" * 40])
def test_a_long_name_stays_below_its_own_pair(name: str) -> None:
    alone = sheet.draw_sheet([pair(name), pair("", ""), pair("", ""), pair("", ""), pair("", "")])
    right = 2 * sheet.BOX[0] + sheet.GAP + sheet.SPACE
    below = slice(sheet.SPACE + sheet.BOX[1], sheet.SPACE + sheet.BOX[1] + 2 * sheet.LINE)
    assert (alone[0, below, :right] < 0.5).any() and not (alone[0, below, right:] < 1).any()


def test_both_ends_of_a_long_name_are_kept() -> None:
    text, font = sheet._drawable("a_very_long_product_name_of_a_catalogue_front_0001")
    short = sheet._shortened(text, font, 300)
    assert short.startswith("a_very") and short.endswith("front_0001") and "…" in short
    assert font.getlength(short) <= 300 < font.getlength(text)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=60))
def test_every_name_can_be_drawn(name: str) -> None:
    drawn = sheet.draw_sheet([pair(name, name, name)], name)
    assert torch.isfinite(drawn).all() and 0 <= float(drawn.min()) <= float(drawn.max()) <= 1


def test_control_characters_are_spelled_out() -> None:
    text, _ = sheet._drawable(sheet.one_line("a\nb\u202ec" + os.fsdecode(b"\xe9")))
    assert text == r"a\nb\u202ec\xe9"


def test_without_a_fitting_font_accents_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    own, *_ = sheet._fonts()
    monkeypatch.setattr(sheet, "_fonts", lambda: (own,))
    assert sheet._drawable("Größe 安娜")[0] == "Gro?e ??" and sheet._drawable("anna")[0] == "anna"


# Lists -----------------------------------------------------------------------------------------------------------


def matched(**given: Any) -> list[tuple[Any, torch.Tensor, torch.Tensor]]:
    """Garments of two photos of different sizes, with some inputs replaced."""
    person = [torch.full((1, 40, 30, 3), 0.25), torch.full((1, 20, 50, 3), 0.75)]
    garment = [torch.full((1, 64, 48, 3), 0.5), torch.full((1, 32, 24, 3), 1.0)]
    lists = {"person": person, "garment": garment, "prefix": ["g/anna", "g/bert"], "category": ["upper", "full"]}
    return list(inputs.matched(**{**lists, "view": [None], "visible": [None], **given}))


def test_items_of_the_lists_belong_together() -> None:
    (anna, photo, image), (bert, *others) = matched(visible=[0.25, 1.0])
    assert (anna.folder, anna.name, anna.category, anna.size, anna.evidence) == ("g", "anna", "upper", (48, 64), 0.25)
    assert (bert.name, bert.category, bert.size, bert.evidence) == ("bert", "full", (24, 32), 1.0)
    assert photo.shape == (3, 40, 30) and image.shape == (3, 64, 48) and float(photo.mean()) == 0.25
    assert [one.shape for one in others] == [(3, 20, 50), (3, 32, 24)]


def test_a_single_item_applies_to_all_garments() -> None:
    found = matched(category=["lower"], person=[torch.zeros(1, 40, 30, 3)])
    assert [one.category for one, _, _ in found] == ["lower", "lower"]
    assert [float(photo.mean()) for _, photo, _ in found] == [0, 0]


def test_images_of_one_item_are_numbered_and_keep_their_photos() -> None:
    people = torch.stack([torch.zeros(40, 30, 3), torch.ones(40, 30, 3)])
    found = matched(garment=[torch.rand(4, 64, 48, 3)], person=[people], prefix=["g/anna"], category=["upper"])
    assert [one.name for one, _, _ in found] == ["anna 1", "anna 2", "anna 3", "anna 4"]
    assert [float(photo.mean()) for _, photo, _ in found] == [0, 1, 0, 1]


def test_transparent_garments_are_on_white() -> None:
    clear = torch.zeros(1, 64, 48, 4)
    assert float(matched(garment=[clear, clear])[0][2].min()) == 1


@pytest.mark.parametrize("name", ["person", "prefix", "category", "visible"])
def test_lists_of_other_lengths_are_refused(name: str) -> None:
    with pytest.raises(IGRError, match=f"The {name} input has 3 items for 2 garments: connect"):
        matched(**{name: [None] * 3})


@pytest.mark.parametrize(
    ("prefix", "sentence"),
    [
        ("../anna", "points outside the output folder"),
        ("/anna", "points outside the output folder"),
        ("a\0b", "points outside the output folder"),
        ("%year%/anna", "has %year%, which ComfyUI replaces"),
        ("anna %width%", "has %width%, which ComfyUI replaces"),
        ("%date:yyyy-MM-dd%/anna", "has %date:yyyy-MM-dd%, which ComfyUI replaces"),
        ("anna %KSampler.seed%", "has %KSampler.seed%, which ComfyUI replaces"),
    ],
)
def test_prefixes_that_name_no_file_of_the_output_folder_are_refused(prefix: str, sentence: str) -> None:
    with pytest.raises(IGRError, match=f'^prefix ".*" {sentence}: connect IGR Photo Folder\'s prefix') as refused:
        matched(prefix=[prefix, "anna"])
    assert "\0" not in str(refused.value)


@pytest.mark.parametrize(
    ("prefix", "place"),
    [
        ("garments/", ("", "garments")),
        ("./a//b", ("a", "b")),
        ("anna", ("", "anna")),
        ("100%/50% off", ("100%", "50% off")),
    ],
)
def test_folder_and_name_are_those_of_save_image(prefix: str, place: tuple[str, str]) -> None:
    assert report.split_prefix(prefix) == place


def test_an_empty_prefix_is_refused() -> None:
    with pytest.raises(IGRError, match="^prefix is empty: connect IGR Photo Folder's prefix"):
        report.split_prefix("")


def test_garments_of_one_prefix_are_numbered() -> None:
    """Also over the items of the lists, as with the default prefix."""
    found = matched(garment=[torch.rand(2, 64, 48, 3), torch.rand(1, 64, 48, 3)], prefix=["garments/garment"])
    assert [one.name for one, _, _ in found] == ["garment 1", "garment 2", "garment 3"]
    found = matched(prefix=["a/x", "./a//x"])
    assert [(one.folder, one.name) for one, _, _ in found] == [("a", "x 1"), ("a", "x 2")]


def test_the_warnings_are_those_of_each_photo_and_of_its_category() -> None:
    """The second mask touches an edge; the third is narrow for an upper garment, but not for trousers."""
    masks = torch.zeros(3, 1, 100, 80)
    masks[0, :, 20:60, 20:60] = masks[1, :, 0:60, 20:60] = 1
    masks[2, :, 20:80, 30:50] = 1
    view = part("igr_core.photo.view")
    seen = view.make_view(torch.rand(3, 3, 100, 80), masks, (48, 64), view.ViewConfig("whole"))
    people, garments = torch.rand(3, 100, 80, 3), torch.rand(3, 64, 48, 3)
    lists = {"person": [people], "garment": [garments], "prefix": ["x"], "view": [seen]}
    warnings = [one.warnings for one, _, _ in matched(**lists, category=["upper"])]
    assert [len(one) for one in warnings] == [0, 1, 1]
    assert warnings[1][0].startswith("The mask touches the top edge")
    assert warnings[2][0].startswith("The mask is narrow for its height")
    assert [len(one.warnings) for one, _, _ in matched(**lists, category=["lower"])] == [0, 1, 0]


def test_lists_that_do_not_belong_together_are_refused_early() -> None:
    inputs.check_lengths({"prefix": ["a"], "person": [1, 2], "category": ["upper", "full"]})
    with pytest.raises(IGRError, match="^prefix has 3 items, but person has 2: connect outputs"):
        inputs.check_lengths({"prefix": ["a", "b", "c"], "person": [1, 2], "category": ["upper"]})


# Report ----------------------------------------------------------------------------------------------------------


def garment(name: str, folder: str = "garments", **facts: Any) -> Any:
    return report.Garment(folder, name, "upper", (48, 64), **facts)


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_garment_is_described_on_one_line() -> None:
    assert garment("anna").sentence == "anna: upper, 48×64 pixels."
    described = garment("a\nb", evidence=0.5, warnings=("The mask is small.", "It is cut.")).sentence
    assert described == r"a\nb: upper, 50% visible, 48×64 pixels. The mask is small. It is cut."


def test_a_later_run_adds_lines_and_replaces_those_of_the_same_name(tmp_path: Path) -> None:
    garments = [garment("bert", warnings=("The mask is small.",)), garment("anna", evidence=0.25)]
    assert report.update_reports(tmp_path, garments) == {"garments/report.csv": 2}
    path = tmp_path / "garments" / "report.csv"
    anna = {"name": "anna", "category": "upper", "size": "48x64", "evidence": "0.250", "warnings": ""}
    bert = {**anna, "name": "bert", "evidence": "", "warnings": "The mask is small."}
    assert lines(path) == [anna, bert]
    assert report.update_reports(tmp_path, [garment("carl"), garment("bert")]) == {"garments/report.csv": 3}
    assert [one["name"] for one in lines(path)] == ["anna", "bert", "carl"]
    assert lines(path)[0] == anna and lines(path)[1]["warnings"] == ""


def test_every_folder_has_its_report(tmp_path: Path) -> None:
    counts = report.update_reports(tmp_path, [garment("anna", ""), garment("anna", "b/lower"), garment("bert", "")])
    assert counts == {"b/lower/report.csv": 1, "report.csv": 2}
    assert [one["name"] for one in lines(tmp_path / "report.csv")] == ["anna", "bert"]


def test_any_other_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "garments" / "report.csv"
    path.parent.mkdir()
    path.write_text("name,price\nanna,3\n")
    with pytest.raises(IGRError, match=r"report\.csv exists, but is not a report from IGR Contact Sheet: rename or"):
        report.update_reports(tmp_path, [garment("carl", "other"), garment("anna")])
    assert path.read_text() == "name,price\nanna,3\n" and not (tmp_path / "other").exists()
