"""The four scores, on silhouettes drawn by hand and on the generator's own defects."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igr_core.errors import IGRError
from training.curation.evidence import Evidence, flat_cover, gather
from training.curation.measure import measure, read_measurement, table, write_measurement
from training.curation.scores import DEFECT_NAMES, CurationConfig, Scores, score
from training.data.contract.parsing import SYNTHETIC, Parsing
from training.data.layouts.synthetic_pairs import SyntheticConfig, SyntheticPairs

CONFIG = CurationConfig()
BACKGROUND, ARM, LEG, UPPER, OTHER = 0, 4, 6, 10, 15
JOINTS = {
    "neck": (96.0, 60.0),
    "mid_hip": (96.0, 160.0),
    "right_shoulder": (73.0, 64.0),
    "left_shoulder": (118.0, 64.0),
    "right_hip": (82.0, 160.0),
    "left_hip": (109.0, 160.0),
}


def worn(labels=None, joints=None, flat=None) -> Evidence:
    """A shirt from row 60 to 160 with legs below it, 192x256, and a flat one of the same shape."""
    if labels is None:
        labels = shirt()
    if flat is None:
        flat = np.zeros((256, 192), bool)
        flat[40:215, 40:152] = True
    parsing = Parsing(labels, SYNTHETIC)
    return Evidence("upper", parsing.garment("upper"), flat, parsing, JOINTS if joints is None else joints)


def shirt() -> np.ndarray:
    labels = np.zeros((256, 192), np.uint8)
    labels[60:160, 64:128] = UPPER
    labels[160:250, 70:122] = LEG
    return labels


def test_a_plain_pair_has_no_defect():
    found = score(worn(), CONFIG)
    assert found.defects(CONFIG) == []
    assert found.kind == "keypoints" and found.badness(CONFIG) < 0.4


@pytest.mark.parametrize("label", [BACKGROUND, OTHER])
@pytest.mark.parametrize("joints", [JOINTS, None])
def test_an_unknown_object_occludes_with_and_without_joints(label, joints):
    labels = shirt()
    labels[80:140, 70:122] = label
    evidence = worn(labels)
    if joints is None:
        evidence = Evidence("upper", evidence.garment, evidence.flat, evidence.parsing)
    assert "occluded" in score(evidence, CONFIG).defects(CONFIG)


def test_arms_before_the_shirt_and_background_beside_it_do_not():
    labels = shirt()
    labels[100:112, 60:130] = ARM
    labels[70:150, 40:48] = ARM  # an arm away from the shirt, with background between them
    labels[140:150, 40:64] = ARM
    labels[66:76, 40:64] = ARM
    assert score(worn(labels), CONFIG).occluded == 0
    without = Evidence("upper", worn(labels).garment, worn().flat, Parsing(labels, SYNTHETIC))
    assert "occluded" not in score(without, CONFIG).defects(CONFIG)


def test_truncated_is_the_fraction_of_the_outline_on_the_border():
    labels = np.zeros((256, 192), np.uint8)
    labels[156:256, 64:128] = UPPER  # 100 high, 64 wide: its lower edge is the photo's
    found = score(worn(labels), CONFIG)
    assert found.truncated == pytest.approx(64 / (2 * 100 + 2 * 62), abs=0.01)
    assert "truncated" in found.defects(CONFIG)


def test_side_view_by_shoulders_by_hips_and_not_without():
    turned = {name: (96 + (x - 96) * 0.5, y) for name, (x, y) in JOINTS.items()}
    assert score(worn(joints=turned), CONFIG).side_view == pytest.approx(0.5, abs=0.02)
    no_shoulders = {name: at for name, at in turned.items() if "shoulder" not in name}
    assert score(worn(joints=no_shoulders), CONFIG).side_view == pytest.approx(0.5, abs=0.02)
    assert score(worn(), CONFIG).side_view < 0.05
    broad = CurationConfig(facing_shoulders=0.9, facing_hips=0.54)  # for broader people, this is a side view
    assert score(worn(), broad).side_view == pytest.approx(0.5, abs=0.02)


def test_proportion_of_a_tiny_and_of_a_squeezed_flat_garment():
    tiny, squeezed = np.zeros((256, 192), bool), np.zeros((256, 192), bool)
    tiny[100:150, 80:112] = True
    squeezed[40:215, 80:112] = True
    assert score(worn(flat=tiny), CONFIG).proportion == pytest.approx(1 - (50 / 256) / 0.87, abs=0.01)
    assert "proportion" in score(worn(flat=squeezed), CONFIG).defects(CONFIG)


def test_a_white_garment_on_white_is_found_by_its_seams():
    class White(SyntheticPairs):
        def garment_cover(self, index):
            return None

        def garment(self, index):
            picture = np.full((256, 192, 3), 255, np.uint8)
            picture[50:200, 50:52] = picture[50:200, 140:142] = 200
            picture[50:52, 50:142] = picture[198:200, 50:142] = 200
            return Image.fromarray(picture)

    cover = flat_cover(White(SyntheticConfig(0, 1, (192, 256))), 0)
    assert cover[50:200, 50:142].all() and cover.sum() < 1.05 * 150 * 92


def test_the_requested_evidence_is_used():
    source = SyntheticPairs(SyntheticConfig(3, 1, (192, 256)))
    assert [gather(source, 0, kind).kind for kind in ("keypoints", "parsing", "mask")] == [
        "keypoints",
        "parsing",
        "mask",
    ]


def test_a_pair_without_garment_is_named():
    class Empty(SyntheticPairs):
        def parsing(self, index):
            return Parsing(np.zeros((256, 192), np.uint8), SYNTHETIC)

    with pytest.raises(IGRError, match="seed-000000003, shows no garment in its photo"):
        gather(Empty(SyntheticConfig(3, 1, (192, 256))), 0)


def test_of_two_good_pairs_the_larger_garment_ranks_first():
    small, large = Scores(0, 0, 0, 0, 0.1, "mask"), Scores(0, 0, 0, 0, 0.3, "mask")
    assert large.badness(CONFIG) < small.badness(CONFIG)


def test_thresholds_fall_back_to_those_of_keypoints_and_are_checked():
    assert CONFIG.threshold("truncated", "mask") == CONFIG.truncated
    assert CONFIG.threshold("occluded", "mask") == CONFIG.occluded_mask
    with pytest.raises(IGRError, match="occluded is 0"):
        CurationConfig(occluded=0)


def test_proportion_alone_never_ranks_a_pair_below_a_defective_one():
    small, cut = Scores(0, 0, 0, 1.0, 0.3, "mask"), Scores(0, CONFIG.truncated, 0, 0, 0.3, "mask")
    assert small.badness(CONFIG) < cut.badness(CONFIG)


def test_the_generators_defects_are_found(tmp_path: Path) -> None:
    measured = measure(40_000, 100, CONFIG)
    for one in measured.measured:
        if one.kind == "keypoints":
            assert one.found + one.missed >= 4
            assert one.recall >= 0.85 and one.precision >= 0.8, one
    by_mask = [one for one in measured.measured if one.kind == "mask"]
    assert sum(one.found for one in by_mask) >= 0.6 * sum(one.found + one.missed for one in by_mask)
    lines = table(measured).splitlines()
    assert "mask only" in lines[0] and [line.split(" | ")[0][2:] for line in lines[2 : 2 + len(DEFECT_NAMES)]] == [
        name.replace("_", " ") for name in DEFECT_NAMES
    ]
    cut = next(one for one in measured.measured if (one.defect, one.kind) == ("truncated", "keypoints"))
    assert f"| {cut.recall:.3f}, {cut.precision:.3f} |" in next(line for line in lines if "truncated" in line)
    write_measurement(tmp_path / "curation.json", measured)
    assert read_measurement(tmp_path / "curation.json") == measured
    with pytest.raises(IGRError, match="contains no measurement"):
        read_measurement(tmp_path / "none.json")
