"""Ranking, selection, manual decisions, duplicates and refitting, and the manifest file."""

import json

import numpy as np
import pytest
from PIL import Image

from igr_core.errors import IGRError
from tests.support.training.judged import judged
from training.curation.duplicates import dhash, find_duplicates
from training.curation.manifest import decide, read_decisions, read_manifest, write_manifest
from training.curation.proportion import refit
from training.curation.scores import CurationConfig
from training.data.contract.laid_out import fit_garment
from training.data.layouts.synthetic_pairs import SyntheticConfig, SyntheticPairs

CONFIG = CurationConfig()


def ten(category: str, first: int = 0):
    """Ten pairs of a category, best first."""
    return [judged(f"{category}{i}", category, side_view=i / 100) for i in range(first, 10)]


def decisions(manifest):
    return {row.name: row.decision for row in manifest.rows}


def test_the_best_of_each_category_are_chosen():
    manifest = decide([*ten("upper"), *ten("lower"), *ten("full")], {}, CONFIG, "t", 0.2)
    assert set(manifest.hqft_names()) == {"upper0", "upper1", "lower0", "lower1", "full0", "full1"}
    assert len(manifest.kept_names()) == 30
    assert [row.rank for row in manifest.rows] == list(range(1, 31))


def test_few_pairs_of_many_categories_are_still_a_fifth():
    pairs = [*ten("upper", 8), *ten("lower", 8), *ten("full", 9)]
    assert len(decide(pairs, {}, CONFIG, "t", 0.2).hqft_names()) == 1
    assert len(decide(pairs, {}, CONFIG, "t", 1.0).hqft_names()) == 5
    assert decide(pairs, {}, CONFIG, "t", 0.0).hqft_names() == []


def test_bad_pairs_and_manual_decisions():
    pairs = [*ten("upper", 3), judged("cut", truncated=0.5), judged("hid", occluded=0.9), judged("far", proportion=0.5)]
    found = decide(pairs, {"cut": "keep", "upper3": "drop"}, CONFIG, "t", 0.3)
    told = decisions(found)
    assert told["hid"] == "dropped" and told["upper3"] == "dropped" and told["cut"] == "hqft"
    # three of ten: the one kept by hand, and the best two others
    assert set(found.hqft_names()) == {"cut", "far", "upper4"}
    assert found.garment_box("far") == (-3, -4, 93, 124) and found.garment_box("cut") is None


def test_of_duplicates_only_the_best_is_kept():
    pairs = [judged("a", side_view=0.1, place=1), judged("b", place=1), judged("c", place=2)]
    manifest = decide(pairs, {}, CONFIG, "t", 1.0)
    assert set(manifest.kept_names()) == {"b", "c"}
    assert next(row for row in manifest.rows if row.name == "a").duplicate_of == "b"
    by_hand = decide(pairs, {"b": "drop"}, CONFIG, "t", 1.0)
    assert set(by_hand.kept_names()) == {"a", "c"}
    other = decide(pairs, {"a": "keep"}, CONFIG, "t", 1.0)
    assert set(other.kept_names()) == {"a", "c"}


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    pairs = [judged('odd, "name"\u00e9', proportion=0.9), judged("twin", place=1), judged("twin2", place=1)]
    manifest = decide(
        [*pairs, judged("=cut", truncated=0.4, occluded=0.9, kind="parsing")], {"twin": "keep"}, CONFIG, "t", 0.5
    )
    write_manifest(tmp_path, manifest)
    again = read_manifest(tmp_path)
    assert again.rows == manifest.rows and again.described == manifest.described
    assert again.garment_box('odd, "name"\u00e9') == (-3, -4, 93, 124)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.csv", "manifest.json"]


def test_files_that_are_not_manifests_are_named(tmp_path):
    with pytest.raises(IGRError, match="contains no readable curation"):
        read_manifest(tmp_path)
    write_manifest(tmp_path, decide(ten("upper"), {}, CONFIG, "t", 0.2))
    path = tmp_path / "manifest.csv"
    whole = path.read_text()
    path.write_text(whole.replace("kept", "perhaps", 1))
    with pytest.raises(IGRError, match="manifest.csv, line 4"):
        read_manifest(tmp_path)
    path.write_text("name,category\n")
    with pytest.raises(IGRError, match="not a manifest of this version"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"decisions": {"a": "maybe"}}', '{"decisions": {"a": ["keep"]}}'])
def test_decisions_that_cannot_be_read_are_named(tmp_path, text):
    path = tmp_path / "decisions.json"
    path.write_text(text)
    with pytest.raises(IGRError, match="decisions.json"):
        read_decisions(path)


@pytest.mark.parametrize("name", ["decisions.json", "manifest.json"])
@pytest.mark.parametrize("content", [b"[" * 200_000, b"\xff", b"{", b"[]"])
def test_damaged_json_is_named(tmp_path, name, content):
    write_manifest(tmp_path, decide(ten("upper"), {}, CONFIG, "t", 0.2))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IGRError, match=rf"{name} is n.*: (save|create)"):
        read_decisions(tmp_path / name) if name == "decisions.json" else read_manifest(tmp_path)


@pytest.mark.parametrize("box", ["9 9 3 3", "0 0 0 5", "0 9 5 9"])
def test_a_reversed_box_is_named(tmp_path, box):
    write_manifest(tmp_path, decide([judged("far", proportion=0.5)], {}, CONFIG, "t", 1.0))
    path = tmp_path / "manifest.csv"
    path.write_text(path.read_text().replace("-3 -4 93 124", box))
    with pytest.raises(IGRError, match=r"manifest\.csv, line 2, .*garment_box must be left, top, right, bottom"):
        read_manifest(tmp_path)


def test_a_score_that_is_not_finite_is_named(tmp_path):
    write_manifest(tmp_path, decide([judged("far", proportion=0.5)], {}, CONFIG, "t", 1.0))
    path = tmp_path / "manifest.csv"
    path.write_text(path.read_text().replace(",0.5,", ",nan,"))
    with pytest.raises(IGRError, match=r"manifest\.csv, line 2, .*not finite"):
        read_manifest(tmp_path)


def test_copies_are_duplicates_and_other_pairs_are_not(tmp_path):
    source = SyntheticPairs(SyntheticConfig(0, 24, (192, 256)))
    people, garments = [], []
    for index in range(len(source)):
        people.append(dhash(source.person(index)))
        garments.append(dhash(source.garment(index)))
    assert find_duplicates(people, garments) == []
    for name, picture in (("person", source.person(5)), ("garment", source.garment(5))):
        picture.resize((150, 200), Image.Resampling.LANCZOS).save(tmp_path / f"{name}.jpg", quality=85)
    copies = [dhash(Image.open(tmp_path / f"{name}.jpg")) for name in ("person", "garment")]
    assert find_duplicates([*people, copies[0]], [*garments, copies[1]]) == [[5, 24]]
    # the same garment on another person is not a duplicate
    assert find_duplicates([*people, people[3]], [*garments, copies[1]]) == []


def test_a_tiny_garment_fills_its_usual_fraction_after_refitting():
    cover = np.zeros((256, 192), bool)
    cover[100:150, 20:50] = True
    picture = Image.fromarray(np.where(np.kron(cover, np.ones((2, 2), bool)), 0, 255).astype(np.uint8)).convert("RGB")
    box = refit(cover, picture.size, 0.87)
    assert box[2] - box[0] == pytest.approx(0.75 * (box[3] - box[1]), abs=1)
    fitted = np.asarray(fit_garment(picture, (192, 256), box).convert("L")) < 128
    rows, columns = np.nonzero(fitted)
    assert np.ptp(rows) + 1 == pytest.approx(0.87 * 256, abs=3)
    assert rows.mean() == pytest.approx(128, abs=2) and columns.mean() == pytest.approx(96, abs=2)


def test_a_refitted_box_may_extend_beyond_the_image():
    cover = np.zeros((256, 192), bool)
    cover[:200, :60] = True
    left, top, _, _ = refit(cover, (192, 256), 0.87)
    assert left < 0 and top < 0


def test_settings_are_reported(tmp_path):
    write_manifest(tmp_path, decide(ten("upper"), {}, CONFIG, "a title", 0.25))
    told = json.loads((tmp_path / "manifest.json").read_text())
    assert told["title"] == "a title" and told["share"] == 0.25 and told["settings"]["fill"] == 0.87
