"""Scoring two folders: known differences give known scores, and every mismatched file is listed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from math import log10
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from igr_core.errors import IGRError
from igr_core.files import sha256
from igr_core.model.bundle import Bundle, save_bundle
from tests.support.models.metric_weights import write_weights
from tests.support.models.tiny import save_runnable
from training.base.statistics import mean_interval
from training.cli.app import app
from training.evaluation.experiments.scoring import Scoring, score_folders
from training.evaluation.images.folders import image_list, images_in
from training.evaluation.metrics.paired import OWN
from training.evaluation.metrics.protocols import PROTOCOLS
from training.evaluation.metrics.registry import METRICS
from training.evaluation.metrics.weights import ALEXNET, CLIP_B32, FILES, WeightsFolder
from training.evaluation.result import Result, read_results

SIZE = (48, 64)
BOX = (12, 16, 36, 48)
"""The garment in every made-up image: a quarter of the image, grey 128 in the truth."""
STEPS = (8, 16, 24)
"""Grey levels by which the generated garments are lighter."""
runner = CliRunner()


def garment(path: Path, level: int, box: tuple[int, int, int, int] = BOX, size: tuple[int, int] = SIZE) -> None:
    """A flat garment of one grey level on white, saved in colour."""
    picture = Image.new("RGB", size, "white")
    picture.paste((level,) * 3, box)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Folders `mine` and `truth` of three pairs, an empty folder of weights."""
    for number, step in enumerate(STEPS):
        garment(tmp_path / "mine" / f"g{number}.png", 128 + step)
        garment(tmp_path / "truth" / f"g{number}.png", 128)
    (tmp_path / "no_weights").mkdir()
    return tmp_path


def score(place: Path, *arguments: str, weights: str = "no_weights") -> tuple[int, str]:
    command = ["evaluate", "score", "--generated", str(place / "mine"), "--reference", str(place / "truth")]
    done = runner.invoke(app, [*command, "--protocol", "native", "--weights", str(place / weights), *arguments])
    assert "Traceback" not in done.output
    return done.exit_code, done.output


def result(place: Path, *arguments: str, weights: str = "no_weights") -> Result:
    code, output = score(place, *arguments, "--json", str(place / "out" / "result.json"), weights=weights)
    assert code == 0, output
    return read_results([place / "out" / "result.json"])[0]


def flat_ssim(one: float, other: float) -> float:
    """SSIM of two flat regions: the luminance term alone, as neither has contrast or structure."""
    return (2 * one * other + 0.01**2) / (one**2 + other**2 + 0.01**2)


def test_known_differences_give_known_scores(place: Path) -> None:
    found = result(place)
    assert found.names == ("g0", "g1", "g2") and found.name == "mine"
    steps = [step / 255 for step in STEPS]
    assert found.paired["masked_l1"].values == pytest.approx(steps, abs=2e-6)
    assert found.paired["garment_psnr"].values == pytest.approx([-20 * log10(step) for step in steps], abs=1e-4)
    assert found.paired["invented"].values == found.paired["missing"].values == (0, 0, 0)
    assert found.paired["masked_l1"].mean == pytest.approx(sum(steps) / 3, abs=2e-6)


def test_ssim_of_flat_pictures_is_its_luminance_term(place: Path) -> None:
    for number, step in enumerate(STEPS):
        garment(place / "mine" / f"g{number}.png", 128 + step, (0, 0, *SIZE))
        garment(place / "truth" / f"g{number}.png", 128, (0, 0, *SIZE))
    wanted = [flat_ssim((128 + step) / 255, 128 / 255) for step in STEPS]
    found = result(place).paired["ssim"].values
    assert found == pytest.approx(wanted, abs=1e-3)  # torchmetrics' single precision loses the variance of flat colour
    assert found[0] > found[1] > found[2]


def test_invented_and_missing_parts_are_fractions_of_the_garment(place: Path) -> None:
    left, top, right, bottom = BOX
    garment(place / "mine" / "g0.png", 128, (left, top, right, top + 16))  # the lower half is missing
    garment(place / "mine" / "g1.png", 128, (left, top, right, bottom + 13))  # 10 lines beyond the rim of 3
    found = result(place)
    rows, width = bottom - top, right - left
    assert found.paired["missing"].values[0] == pytest.approx((rows - 16 - 3) / rows)
    assert found.paired["invented"].values[:2] == pytest.approx((0, 10 * width / (rows * width)))


def test_a_folder_of_silhouettes_decides_what_is_garment(place: Path) -> None:
    left, top, right, bottom = BOX
    for number in range(3):
        mask = Image.new("L", SIZE, 0)
        mask.paste(255, (left, top, right, bottom - 16))
        (place / "masks").mkdir(exist_ok=True)
        mask.save(place / "masks" / f"g{number}.png")
    found = result(place, "--silhouettes", str(place / "masks"))
    masks = list(images_in(place / "masks").values())
    assert found.silhouettes == image_list(masks) and result(place).silhouettes is None
    assert result(place, "--silhouettes", str(place / "masks"), "--unpaired").silhouettes is None
    assert found.paired["invented"].values == pytest.approx((13 / 16,) * 3)  # 16 lines below it, without a rim of 3
    (place / "masks" / "g1.png").write_bytes(b"")
    code, output = score(place, "--silhouettes", str(place / "masks"))
    assert code == 1 and f"{place / 'masks' / 'g1.png'} is not a supported image" in output and "scoring" not in output
    (place / "masks" / "g1.png").unlink()
    code, output = score(place, "--silhouettes", str(place / "masks"))
    assert code == 1 and "has no mask for g1: " in output


def test_each_interval_is_the_bootstrap_of_its_values(place: Path) -> None:
    for name, found in result(place).paired.items():
        interval = mean_interval(found.values)
        assert (found.mean, found.low, found.high) == (interval.mean, interval.low, interval.high), name
        assert found.low <= found.mean <= found.high
    assert result(place).paired["masked_l1"].low < result(place).paired["masked_l1"].high


def test_metrics_that_need_no_weights_run_offline_and_the_others_name_their_file(place: Path) -> None:
    code, output = score(place)
    found = result(place)
    assert code == 0 and tuple(found.paired) == ("ssim", *OWN) and not found.distribution and not found.weights
    assert set(found.skipped) == {"lpips_alex", "lpips_vgg", "dists", "fid", "clip_fid", "kid"}
    for name, sentence in found.skipped.items():
        assert sentence.split(" is missing from checkpoints/")[0] in {file.name for file in FILES}
        line = next(line for line in output.splitlines() if line.strip().startswith(METRICS[name].title))
        assert line.endswith(f"not computed: {sentence}")


def test_a_result_contains_everything_that_it_depends_on(place: Path) -> None:
    write_weights(place / "weights", [ALEXNET, CLIP_B32])
    found = result(place, "--name", "ours", weights="weights")
    assert found.name == "ours" and found.kind == "folder"
    assert found.protocol["name"] == "native" and found.protocol["paired"] == "torchmetrics"
    for listed, folder in ((found.generated, "mine"), (found.reference, "truth")):
        assert listed == image_list(list(images_in(place / folder).values()))
        assert (listed.folder, listed.count, listed.sizes) == (folder, 3, {"48x64": 3})
    assert found.weights == {
        file.name: sha256(place / "weights" / "checkpoints" / file.name) for file in (ALEXNET, CLIP_B32)
    }
    assert {"torch", "torchmetrics", "torch-fidelity", "clean-fid", "pillow"} <= set(found.libraries)
    assert (
        found.libraries["torch"] == torch.__version__.partition("+")[0] or found.libraries["torch"] == torch.__version__
    )
    assert len(found.revision.removesuffix("-dirty")) == 40 or found.revision == "unknown"
    spread = found.distribution["clip_fid"]
    assert (spread.n, spread.n_reference) == (3, 3) and spread.value > 0
    for file in (ALEXNET, CLIP_B32):
        assert (
            f"{file.name} is not the published file: its metrics cannot be compared with other results."
            in found.warnings
        )
    assert str(place) not in (place / "out" / "result.json").read_text()


def test_a_result_survives_its_file(place: Path) -> None:
    scoring = Scoring(PROTOCOLS["native"], weights=WeightsFolder(place / "no_weights"))
    wanted = score_folders(scoring, place / "mine", place / "truth", name="mine")
    assert result(place) == wanted
    assert json.loads((place / "out" / "result.json").read_text())["results"][0]["names"] == ["g0", "g1", "g2"]


def test_a_file_without_results_is_reported(place: Path) -> None:
    bad = place / "bad.json"
    for text in ("", "[]", '{"rows": []}', '{"results": [{"name": "x"}]}'):
        bad.write_text(text)
        with pytest.raises(IGRError, match=r"bad\.json"):
            read_results([bad])


def test_sets_alone_are_compared_where_there_are_no_pairs(place: Path) -> None:
    for number in range(3):
        (place / "truth" / f"g{number}.png").rename(place / "truth" / f"other{number}.png")
    garment(place / "truth" / "wide.png", 128, size=(64, 48))
    bundle = save_runnable(place / "tiny.safetensors")
    found = result(place, "--unpaired", "--encoder", str(bundle), "--cache", str(place / "cache"))
    assert not found.paired and not found.names and set(found.distribution) == {"encoder_fd"}
    assert (found.distribution["encoder_fd"].n, found.distribution["encoder_fd"].n_reference) == (3, 4)
    assert len(list((place / "cache").iterdir())) == 2
    assert found.weights == {"tiny.safetensors": sha256(bundle)}
    assert result(place, "--unpaired", "--encoder", str(bundle), "--cache", str(place / "cache")) == found


def corrupt(place: Path) -> list[str]:
    """Add a file with each type of fault to the folders; returns how each is reported."""
    garment(place / "mine" / "extra.png", 128)
    garment(place / "truth" / "lacking.png", 128)
    for name in ("grey", "corrupt", "cut", "padded", "bad_truth"):
        garment(place / "mine" / f"{name}.png", 128)
        garment(place / "truth" / f"{name}.png", 128)
    Image.new("L", SIZE, 128).save(place / "mine" / "grey.png")
    (place / "mine" / "corrupt.png").write_bytes(b"not a picture")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)).save(place / "mine/cut.png")
    whole = (place / "mine" / "cut.png").read_bytes()
    (place / "mine" / "cut.png").write_bytes(whole[: len(whole) // 2])
    garment(place / "mine" / "padded.png", 128, size=(64, 64))
    (place / "truth" / "bad_truth.png").write_bytes(b"")
    return [
        "lacking: there is no generated image",
        "extra.png: there is no reference",
        "grey.png: is grey (L)",
        "corrupt.png: is not a supported image",
        "cut.png: is truncated or damaged",
        "padded.png: is 64x64, but its reference is 48x64, a different shape",
        "bad_truth.png: is not a supported image",
    ]


def test_every_wrong_input_is_named_and_nothing_is_scored(place: Path) -> None:
    sentences = corrupt(place)
    code, output = score(place, "--json", str(place / "out.json"))
    assert code == 1 and not (place / "out.json").exists()
    for sentence in sentences:
        assert sum(line.strip().startswith(sentence) for line in re.split(r"[\r\n]+", output)) == 1, sentence
    assert f"{len(sentences)} files of {place / 'mine'} and {place / 'truth'} do not match" in output


def test_matching_files_are_scored_on_request_and_the_others_still_listed(place: Path) -> None:
    before, sentences = result(place), corrupt(place)
    code, output = score(place, "--skip-bad")
    assert code == 0 and all(sentence in output for sentence in sentences)
    found = result(place, "--skip-bad")
    told = (
        "Files that did not match and were skipped: 7 (mine/corrupt.png, mine/cut.png, mine/extra.png and 4 others).",
    )
    assert found == replace(before, warnings=told + before.warnings)
    garment(place / "mine" / "corrupt.png", 128)
    assert (
        "were skipped: 3 (mine/cut.png, mine/grey.png, truth/bad_truth.png)."
        in result(place, "--skip-bad", "--unpaired").warnings[0]
    )
    for name in ("g0", "g1", "corrupt"):
        (place / "mine" / f"{name}.png").unlink()
    code, output = score(place, "--skip-bad")
    assert code == 1 and "have 1 images to compare: at least 2 are needed" in output


def test_two_pairs_have_no_set_metrics_and_keep_their_own(place: Path) -> None:
    for folder in ("mine", "truth"):
        (place / folder / "g2.png").unlink()
    write_weights(place / "weights", [CLIP_B32])
    found = result(place, weights="weights")
    assert len(found.paired["ssim"].values) == 2 and not found.distribution and not found.weights
    assert found.skipped["clip_fid"] == "clip_fid needs sets of at least 3 images, but one has 2."


def test_unequal_counts_jpegs_and_resizing_are_noted(place: Path) -> None:
    with Image.open(place / "mine" / "g0.png") as picture:
        picture.save(place / "mine" / "g0.jpg")
    (place / "mine" / "g0.png").unlink()
    garment(place / "mine" / "g1.png", 128, (24, 32, 72, 96), (96, 128))
    count = "The protocol is meant for 2,032 pairs (VITON-HD test, paired), but 3 were scored."
    lossy = "1 of the generated images are JPEG, which lowers every metric: save them as PNG."

    def resized(number: int) -> str:
        return f"{number} of the generated images were resized to the size used for comparison."

    assert result(place).warnings == (lossy, resized(1))
    small = Scoring(replace(PROTOCOLS["igr"], size=(96, 128)), ("masked_l1",), WeightsFolder(place / "no_weights"))
    warnings = score_folders(small, place / "mine", place / "truth", name="mine").warnings
    assert warnings == (count, lossy, resized(2))
    for warning in result(place).warnings:
        assert f"  {warning}" in score(place)[1]


def test_a_picture_with_transparency_is_scored_on_white(place: Path) -> None:
    before = result(place).paired["masked_l1"].values
    with Image.open(place / "mine" / "g0.png") as picture:
        clear = picture.convert("RGBA")
    pixels = np.array(clear)
    outside = (pixels[..., :3] == 255).all(-1)
    pixels[outside] = (9, 9, 9, 0)  # dark where the image is transparent
    Image.fromarray(pixels).save(place / "mine" / "g0.png")
    assert result(place).paired["masked_l1"].values == before


def test_chosen_metrics_alone_are_computed(place: Path) -> None:
    found = result(place, "--metrics", "masked_l1, ssim")
    assert tuple(found.paired) == ("ssim", "masked_l1") and not found.skipped


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--protocol", "mine"), "Unknown protocol 'mine': choose igr, tryoffdiff, temu, native."),
        (("--metrics", "ssim,fidd"), "Unknown metric 'fidd'"),
        (("--json", "result.txt"), "result.txt is not a JSON file name"),
        (("--weights", "nowhere"), "nowhere is not a folder"),
        (("--encoder", "nowhere.safetensors"), "nowhere.safetensors"),
        (("--generated", "nowhere"), "nowhere is not a folder"),
        (("--reference", "no_weights"), "no_weights is not a folder"),
    ],
)
def test_mistakes_are_reported_in_one_sentence(arguments: tuple[str, str], sentence: str, place: Path) -> None:
    code, output = score(place, *arguments)
    assert code == 1 and sentence in output
    assert [line for line in output.splitlines() if line.startswith("Error: ")] == output.splitlines()


def test_a_folder_is_not_scored_against_itself(place: Path) -> None:
    (place / "link").symlink_to(place / "truth")
    for name in ("truth", "link", "mine/../truth"):
        code, output = score(place, "--generated", str(place / name), "--reference", str(place / "truth"))
        assert code == 1 and f"--generated and --reference are both {place / 'truth'}: use the folder of the" in output


def test_a_device_that_does_not_exist_is_a_wrong_option(place: Path) -> None:
    code, output = score(place, "--device", "nonsense")
    assert code == 2 and "nonsense cannot be used" in output


def test_a_bundle_without_an_image_encoder_is_refused_before_scoring(place: Path) -> None:
    whole = Bundle.open(save_runnable(place / "tiny.safetensors"))
    parts = {part: whole.tensors(part) for part in ("denoiser", "garmnet", "image_prompt", "prompts", "vae")}
    save_bundle(place / "bare.safetensors", whole.info, parts)
    code, output = score(place, "--encoder", str(place / "bare.safetensors"))
    assert code == 1 and "bare.safetensors has no image encoder" in output and "SSIM" not in output


def test_the_current_folder_has_its_real_name(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place / "mine")
    found = result(place, "--generated", ".")
    assert found.name == found.generated.folder == "mine"
