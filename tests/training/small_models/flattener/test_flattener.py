"""The flattening network's training: augmentation, loss, scores, resuming."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from typer.testing import CliRunner

from igr_core.errors import IGRError
from igr_core.flatten.model_file import load_flattener, save_flattener
from igr_core.flatten.network import Flattened, Flattener, FlattenerConfig, coordinates
from igr_core.flatten.outlines import Shape
from igr_core.included import INCLUDED_FLATTENER
from igr_core.model.config import CATEGORIES
from tests.support.training.stopping import logged, stopped_at_call
from training.base.config_files import load_config
from training.cli.app import app
from training.data.caches.draw_config import DrawConfig
from training.data.caches.drawn import draw_shards
from training.data.contract.seeds import HELD_OUT_START
from training.small_models.flattener import training as flattener
from training.small_models.flattener.augmentation import FlattenerAugmentation, Samples, augment
from training.small_models.flattener.losses import FlattenerLoss, flattener_loss
from training.small_models.flattener.scores import flattener_scores, place_errors
from training.small_models.flattener.training import Corpus, FlattenerTraining, train

CONFIGS = Path(__file__).parents[4] / "training" / "configs" / "small"
SIZE = (48, 64)
NO_COLOUR = FlattenerAugmentation(tint=0, light=0, mask_share=0)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> FlattenerTraining:
    """A run of four steps on four pairs."""
    folder = tmp_path_factory.mktemp("drawn")
    config = DrawConfig(size=SIZE, photo_size=(96, 128), crop_size=16, correspondence=True)
    draw_shards(folder / "pairs", 4, 0, config, workers=1)
    draw_shards(folder / "held_out", 4, HELD_OUT_START, config, workers=1)
    return FlattenerTraining(
        run="unset",
        data=str(folder / "pairs"),
        held_out=str(folder / "held_out"),
        network=FlattenerConfig(SIZE, (8, 8, 16, 16), layers=1, heads=2),
        steps=4,
        batch=3,
        warmup=1,
        precision="no",
        log_every=1,
        save_every=2,
        validate_every=3,
    )


def smooth_samples(count: int = 6) -> Samples:
    """Photos whose red and green are their own coordinates, so that any place can be read from their pixels."""
    width, height = SIZE
    photo = torch.ones(count, 4, height, width)
    photo[:, :2] = coordinates(photo) / 2 + 0.5
    photo[:, 2] = 0.5
    place = coordinates(torch.zeros(count, 1, height // 4, width // 4)) / 2 + 0.5
    place = 0.3 + 0.4 * place
    place[:, :, :2] = torch.nan
    opacity = torch.zeros(count, 1, height, width)
    opacity[..., : width // 4] = 1
    garment = torch.full((count, 3, height, width), 0.5)
    return Samples(photo, torch.zeros(count, dtype=torch.long), place, opacity, garment)


def read_at(photo: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    return nn.functional.grid_sample(photo, (place.nan_to_num(0.5) * 2 - 1).movedim(1, -1), align_corners=False)


def test_augmented_places_still_point_at_the_same_pixels() -> None:
    samples = smooth_samples()
    moved = augment(samples, replace(NO_COLOUR, flip_share=0), torch.Generator().manual_seed(3))
    assert not torch.equal(moved.photo, samples.photo) and torch.equal(moved.opacity, samples.opacity)
    seen = moved.place.isfinite().all(1, keepdim=True)
    assert seen.float().mean() > 0.6 and not (seen & samples.place.isnan().any(1, keepdim=True)).any()
    apart = (read_at(moved.photo, moved.place)[:, :2] - samples.place).abs()
    assert apart[seen.expand_as(apart)].max() < 0.02


def test_mirrored_pairs_are_mirrored_as_a_whole() -> None:
    samples = smooth_samples()
    moved = augment(samples, replace(NO_COLOUR, flip_share=1), torch.Generator().manual_seed(4))
    torch.testing.assert_close(moved.opacity, samples.opacity.flip(-1))
    seen = moved.place.isfinite().all(1, keepdim=True)
    apart = (read_at(moved.photo, moved.place)[:, :2] - samples.place.flip(-1)).abs()
    assert apart[seen.expand_as(apart)].max() < 0.02


def test_colours_stay_in_range_and_the_mask_is_not_recoloured() -> None:
    samples = smooth_samples()
    still = FlattenerAugmentation(flip_share=0, scale=0, shift=0, turn=0, bend=0, mask_share=0, tint=0.5, light=0.5)
    moved = augment(samples, still, torch.Generator().manual_seed(5))
    assert moved.photo.min() >= 0 and moved.photo.max() <= 1
    torch.testing.assert_close(moved.photo[:, 3:], samples.photo[:, 3:])
    assert (moved.photo[:, :3] - samples.photo[:, :3]).abs().max() > 0.05


def test_inexact_masks_move_their_border_both_ways_and_nothing_else() -> None:
    samples = smooth_samples()
    samples.photo[:, 3] = 0
    samples.photo[:, 3, 16:48, 12:36] = 1
    still = replace(NO_COLOUR, flip_share=0, scale=0, shift=0, turn=0, bend=0)
    exact = augment(samples, still, torch.Generator().manual_seed(6))
    inexact = augment(samples, replace(still, mask_share=1, mask_error=0.1), torch.Generator().manual_seed(6))
    assert torch.equal(inexact.photo[:, :3], exact.photo[:, :3]) and torch.equal(inexact.opacity, samples.opacity)
    before, after = exact.photo[:, 3] > 0.5, inexact.photo[:, 3] > 0.5
    assert (after & ~before).any() and (before & ~after).any()
    assert after[:, 28:36, 20:28].all() and not after[:, :4].any()  # far from the border
    unmoved = augment(samples, replace(still, mask_share=1, mask_error=0), torch.Generator().manual_seed(6))
    assert torch.equal(unmoved.photo[:, 3], exact.photo[:, 3])
    samples.photo[:, 3] = 0
    samples.photo[:, 3, 30, 20] = 1  # too thin to survive
    thin = augment(samples, replace(still, mask_share=1, mask_error=0.1), torch.Generator().manual_seed(6))
    assert thin.photo[:, 3].flatten(1).any(1).all()


def predicted(samples: Samples, off: float = 0.0) -> Flattened:
    """The truth, with positions moved right by `off`."""
    seen = samples.place.isfinite().all(1, keepdim=True)
    place = samples.place.nan_to_num(0.5) + off * torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    logits, light = torch.where(seen, 20.0, -20.0), torch.zeros_like(place[:, :1])
    return Flattened(place, torch.full_like(logits, 0.01), logits, samples.opacity * 40 - 20, light, ())


def test_the_loss_is_lowest_for_the_truth() -> None:
    samples = smooth_samples()
    right, wrong = (flattener_loss(predicted(samples, off), samples, FlattenerLoss()) for off in (0.0, 0.1))
    assert right["place"] < 1e-3 and right["gradient"] < 1e-4 and right["visible"] < 1e-3 and right["opacity"] < 1e-3
    assert wrong["place"] == pytest.approx(0.1 * 48 / 64, rel=1e-2)  # in view heights
    assert wrong["gradient"] < 1e-4 and wrong["total"] > right["total"]


def test_hidden_cells_have_no_true_place() -> None:
    samples = smooth_samples()
    found = predicted(samples)
    found.place[:, :, :2] += 5  # where the truth is NaN
    terms = flattener_loss(found, samples, FlattenerLoss())
    assert terms["place"] < 1e-3 and all(bool(term.isfinite()) for term in terms.values())


def test_light_is_compared_with_the_true_factor_between_garment_and_photo() -> None:
    samples = smooth_samples()
    samples.photo[:, :3], samples.garment[:], samples.opacity[:] = 0.3, 0.6, 1
    true = math.log((0.6 + 0.05) / (0.3 + 0.05))
    for error in (0.0, 0.2):
        light = torch.full_like(samples.place[:, :1], true + error)
        terms = flattener_loss(predicted(samples)._replace(light=light), samples, FlattenerLoss())
        assert terms["light"] == pytest.approx(error, abs=1e-5)


def test_distances_are_relative_to_the_height_of_the_garment() -> None:
    samples = smooth_samples(1)
    true = samples.place[0]
    rows = true[1][true.isfinite().all(0)]
    errors = place_errors(true.nan_to_num() + torch.tensor([0.0, 0.05]).view(2, 1, 1), true, 0.75)
    torch.testing.assert_close(errors, torch.full_like(errors, 0.05 / float(rows.max() - rows.min())))


class Knowing(nn.Module):
    """A network that returns the truth, with positions moved right by `off`."""

    outlines = None

    def __init__(self, samples: Samples, off: float, light: float = 0.0) -> None:
        super().__init__()
        self.samples, self.off, self.light, self.device = samples, off, light, nn.Parameter(torch.zeros(()))

    def forward(self, photo: torch.Tensor, category: torch.Tensor) -> Flattened:
        found = predicted(self.samples, self.off)
        return found._replace(light=torch.full_like(found.light, self.light))


def test_scores_of_the_truth_are_perfect_and_others_are_not() -> None:
    samples = smooth_samples()
    right, wrong = (flattener_scores(Knowing(samples, off), [samples]) for off in (0.0, 0.03))  # type: ignore[arg-type]
    assert right["median"] < 1e-3 and right["within_1"] == 1 and right["overlap"] == 1
    assert right["auroc"] == pytest.approx(1)
    assert wrong["within_2"] == 0 and wrong["median"] > 0.03
    assert wrong["unshifted"] < 1e-3  # all cells have the same error
    assert right["light"] == right["unlit"] > 0  # the predicted light is that of the photo


def test_the_fitted_outline_is_scored_beside_the_network_s_own() -> None:
    samples = smooth_samples()
    network = Knowing(samples, 0.0)
    assert "fitted" not in flattener_scores(network, [samples])  # type: ignore[arg-type]

    class Nothing:
        def fitted(self, opacity: torch.Tensor, visible: torch.Tensor, category: int) -> Shape:
            return Shape(torch.full_like(opacity, -1.0), torch.zeros_like(opacity))

    network.outlines = Nothing()
    scores = flattener_scores(network, [samples])  # type: ignore[arg-type]
    assert scores["overlap"] == 1 and scores["fitted"] == 0


def test_light_is_scored_against_no_change_of_light() -> None:
    samples = smooth_samples()
    samples.photo[:, :3], samples.garment[:], samples.opacity[:] = 0.3, 0.6, 1
    network = Knowing(samples, 0.0, light=math.log((0.6 + 0.05) / (0.3 + 0.05)))
    scores = flattener_scores(network, [samples])  # type: ignore[arg-type]
    assert scores["light"] < 1e-5 and scores["unlit"] == pytest.approx(math.log(0.65 / 0.35), rel=1e-4)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_killed_run_resumes_as_if_it_had_not_been_killed(
    tiny: FlattenerTraining, tmp_path: Path, optimizer: str
) -> None:
    whole = replace(tiny, run=str(tmp_path / "whole"), optimizer=optimizer)
    parts = replace(whole, run=str(tmp_path / "parts"))
    train(whole)
    with stopped_at_call(flattener, "flattener_loss", 4):
        train(parts)
    torch.rand(7)
    train(parts)
    assert logged(tmp_path / "parts") == logged(tmp_path / "whole")
    one, other = (load_file(tmp_path / name / "flattener.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_finished_network_can_be_trained_further(tiny: FlattenerTraining, tmp_path: Path) -> None:
    first = replace(tiny, run=str(tmp_path / "first"))
    scores = train(first)
    path = tmp_path / "first" / "flattener.safetensors"
    assert json.loads(path.with_suffix(".json").read_text())["scores"] == scores
    network = load_flattener(path)
    pairs = Corpus(tiny.held_out, SIZE)
    assert flattener_scores(network, pairs.batches(2))["median"] == pytest.approx(scores["median"], abs=2e-3)
    train(replace(tiny, run=str(tmp_path / "second"), init=str(path), learning_rate=1e-9, ema_decay=0.0))
    again = load_flattener(tmp_path / "second" / "flattener.safetensors")
    for name, weight in again.state_dict().items():
        torch.testing.assert_close(weight, network.state_dict()[name], atol=1e-3, rtol=1e-2)
    with pytest.raises(IGRError, match="init: .*first.*has other sizes"):
        train(replace(tiny, run=str(tmp_path / "third"), init=str(path), network=replace(tiny.network, layers=2)))


def test_training_reduces_the_loss(tiny: FlattenerTraining, tmp_path: Path) -> None:
    torch.manual_seed(0)
    still = FlattenerAugmentation(flip_share=0, scale=0, shift=0, turn=0, bend=0, tint=0, light=0)
    train(replace(tiny, run=str(tmp_path), steps=60, learning_rate=0.005, augmentation=still, ema_decay=0.0, batch=4))
    losses = [float(row.split(",")[-1]) for row in logged(tmp_path) if ",train/place," in row]
    assert len(losses) == 60
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def test_pairs_that_are_trained_on_are_not_measured_on(tiny: FlattenerTraining, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(IGRError, match="includes seed-000000000, which is also used for training: for held_out"):
        train(replace(tiny, run=str(run), held_out=tiny.data))
    assert not run.exists()
    path = tmp_path / "flattener.safetensors"
    save_flattener(path, Flattener(tiny.network))
    words = ["measure-flattener", str(path), "--count", "4", "--device", "cpu", "--held-out"]
    for folder, noted in ((tiny.data, True), (tiny.held_out, False)):
        result = CliRunner().invoke(app, [*words, folder], catch_exceptions=False)
        assert result.exit_code == 0 and ("may have been trained on" in result.stderr) == noted


def test_pairs_that_do_not_fit_are_named(tiny: FlattenerTraining, tmp_path: Path) -> None:
    with pytest.raises(
        IGRError, match="contains pairs of 48x64, but the network's size is 192x256: draw pairs with --size 192x256"
    ):
        Corpus(tiny.data, (192, 256))
    draw_shards(tmp_path, 2, 0, DrawConfig(size=SIZE, photo_size=(96, 128), crop_size=16), workers=1)
    with pytest.raises(IGRError, match="has no correspondences: draw its pairs again with --correspondence"):
        Corpus(str(tmp_path), SIZE)


def test_categories_are_numbered_as_the_network_expects(tiny: FlattenerTraining) -> None:
    pairs = Corpus(tiny.data, SIZE)
    found = [CATEGORIES[number] for number in pairs.take(list(range(len(pairs)))).category.tolist()]
    assert found == [pairs.pairs.categories[row] for row in pairs.rows]


def test_the_included_config_is_that_of_the_included_network() -> None:
    config = load_config(FlattenerTraining, CONFIGS / "flattener.yaml")
    assert load_flattener(INCLUDED_FLATTENER).config == config.network


def test_the_command_prints_the_scores_of_a_finished_network(tiny: FlattenerTraining, tmp_path: Path) -> None:
    scores = train(replace(tiny, run=str(tmp_path)))
    path = tmp_path / "flattener.safetensors"
    words = ["measure-flattener", str(path), "--held-out", tiny.held_out, "--count", "4", "--device", "cpu"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    printed = re.search(r"overlap ([\d.]+)", result.stdout)
    assert printed is not None and float(printed[1]) == pytest.approx(scores["overlap"], abs=0.01)
    assert "4 pairs" in result.stdout and "within_5" in result.stdout
