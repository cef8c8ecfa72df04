"""Distribution metrics: a set with itself, symmetry, increasingly bad sets, agreement with the libraries, the cache.

The networks are random (random_weights): torch-fidelity's Inception at its real size, the two TorchScript ones small.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from igr_core.errors import IGRError
from tests.support.models.metric_weights import CLIP_FEATURES, write_weights
from tests.support.models.tiny import save_runnable
from training.data.synthetic import make_pair
from training.evaluation.images.folders import images_in
from training.evaluation.metrics import distribution
from training.evaluation.metrics.distribution import (
    CLEAN_CLIP,
    CLEAN_INCEPTION,
    FIDELITY_CLIP,
    FIDELITY_INCEPTION,
    DistributionScorer,
    Spread,
    clean_kernel_distance,
    distribution_metrics,
    encoder_metrics,
    extract,
    frechet_distance,
    kernel_distance,
    load_network,
)
from training.evaluation.metrics.protocols import PROTOCOLS
from training.evaluation.metrics.weights import CLIP_B32, INCEPTION, INCEPTION_SCRIPT, WeightsFolder

NATIVE, CLEAN = PROTOCOLS["native"], replace(PROTOCOLS["native"], distribution="clean-fid")
ALL = ("fid", "clip_fid", "kid", "encoder_fd")
COUNT, SIZE = 4, (48, 64)
pytestmark = pytest.mark.xdist_group("metric weights")
directly = pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning", "ignore:The `disp`:DeprecationWarning")
"""For tests that call a library themselves."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> WeightsFolder:
    folder = tmp_path_factory.mktemp("weights")
    return WeightsFolder(write_weights(folder, [INCEPTION, INCEPTION_SCRIPT, CLIP_B32]))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of drawn garments: `truth`, `other` ones, and `noisy_N` of the truth under N grey levels of noise."""
    place = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name in ("truth", "other", "noisy_20", "noisy_60", "noisy_180"):
        (place / name).mkdir()
        kind, _, strength = name.partition("_")
        for seed in range(COUNT):
            pixels = np.array(make_pair(seed + 100 * (kind == "other"), SIZE).garment).astype(float)
            pixels += rng.normal(0, int(strength or 0), pixels.shape)
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(place / name / f"{seed}.png")
    return place


def files(folder: Path) -> list[Path]:
    return list(images_in(folder).values())


def features(seed: int, count: int = 40, width: int = 6, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (count, width))


def scored(scorer: DistributionScorer, one: Path, other: Path) -> dict[str, Spread]:
    found = scorer.score(files(one), files(other))
    assert not scorer.skipped
    return found


def test_a_metric_of_each_network_by_the_protocols_library() -> None:
    for protocol, library in ((NATIVE, "torch-fidelity"), (CLEAN, "clean-fid")):
        found = {metric.name: metric.network for metric in distribution_metrics(protocol)}
        assert list(found) == ["fid", "clip_fid", "kid"] and found["fid"] is found["kid"]
        assert {network.library for network in found.values()} == {library}


@pytest.mark.parametrize("protocol", [NATIVE, CLEAN], ids=["torch-fidelity", "clean-fid"])
def test_frechet_distance_is_0_to_itself_symmetric_and_grows_with_noise(
    protocol: object, weights: WeightsFolder, place: Path
) -> None:
    scorer = DistributionScorer(protocol, ("clip_fid",), weights)  # type: ignore[arg-type]
    found = {
        name: scored(scorer, place / name, place / "truth")["clip_fid"].value
        for name in ("truth", "noisy_20", "noisy_60", "noisy_180")
    }
    values = list(found.values())
    assert abs(values[0]) < 1e-3 and values == sorted(values) and values[1] > 2 * abs(values[0])
    back = scored(scorer, place / "truth", place / "noisy_60")["clip_fid"]
    assert back.value == pytest.approx(found["noisy_60"], rel=1e-4)
    assert (back.n, back.n_reference, back.spread) == (COUNT, COUNT, None)


@directly
def test_fid_kid_and_clip_fid_are_torch_fidelitys_own(
    weights: WeightsFolder, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole calls of the library on the same folders and weights.

    Inception has its true size; FID is taken at its layer of 64 features, as roots of 2,048² matrices cost seconds.
    """
    from torch_fidelity import calculate_metrics

    settings = dict(input1=str(place / "other"), input2=str(place / "truth"), cuda=False, cache=False, verbose=False)
    settings |= dict(save_cpu_ram=True, feature_extractor_weights_path=str(weights.path(INCEPTION)))
    kid = calculate_metrics(kid=True, kid_subset_size=COUNT // 2, **settings)
    fid = calculate_metrics(fid=True, feature_layer_fid="64", **settings)
    settings |= dict(feature_extractor="clip-vit-b-32", feature_extractor_weights_path=str(weights.path(CLIP_B32)))
    clip = calculate_metrics(fid=True, **settings)
    found = scored(DistributionScorer(NATIVE, ("kid", "clip_fid"), weights), place / "other", place / "truth")
    assert found["kid"].value == pytest.approx(kid["kernel_inception_distance_mean"], rel=1e-4)
    assert found["kid"].spread == pytest.approx(kid["kernel_inception_distance_std"], rel=1e-4)
    assert found["clip_fid"].value == pytest.approx(clip["frechet_inception_distance"], rel=1e-4)
    early = replace(FIDELITY_INCEPTION, load=distribution._fidelity("inception-v3-compat", "64"))
    monkeypatch.setattr(distribution, "FIDELITY_INCEPTION", early)
    found = scored(DistributionScorer(NATIVE, ("fid",), weights), place / "other", place / "truth")
    assert found["fid"].value == pytest.approx(fid["frechet_inception_distance"], rel=1e-4)


@directly
def test_inception_features_of_clean_fid_are_its_own(weights: WeightsFolder, place: Path) -> None:
    """The library's own resizing and wrapper around the same TorchScript file (a small one with its interface)."""
    from cleanfid.fid import get_files_features
    from cleanfid.inception_torchscript import InceptionV3W

    path = weights.path(INCEPTION_SCRIPT)
    wrapper = InceptionV3W(str(path.parent), download=False)
    wanted = get_files_features(
        [str(file) for file in files(place / "truth")],
        wrapper,
        num_workers=0,
        device=torch.device("cpu"),
        verbose=False,
    )
    found = extract(load_network(CLEAN_INCEPTION, path), files(place / "truth"), None, "")
    assert found.shape == (COUNT, 2048)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_clip_features_of_clean_fid_have_its_resizing(weights: WeightsFolder, place: Path) -> None:
    """Clean-fid's own CLIP needs OpenAI's package, which is not on PyPI, so its two transforms are written out here."""
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

    resize = Compose([Resize(224, interpolation=InterpolationMode.BICUBIC), CenterCrop(224)])
    network = load_network(FIDELITY_CLIP, weights.path(CLIP_B32))
    wanted = []
    for file in files(place / "truth"):
        with Image.open(file) as picture:
            wanted.append(network(torch.from_numpy(np.array(resize(picture))).permute(2, 0, 1)[None]))
    found = extract(load_network(CLEAN_CLIP, weights.path(CLIP_B32)), files(place / "truth"), None, "")
    assert found.shape == (COUNT, CLIP_FEATURES)
    np.testing.assert_allclose(found, torch.cat(wanted).numpy(), rtol=1e-4, atol=1e-5)


@directly
def test_frechet_formulas_are_those_of_the_libraries_and_agree_with_known_values() -> None:
    from cleanfid.fid import fid_from_feats

    one, other = features(0), features(1, shift=0.5)
    clean = distribution._clean_frechet(one, other)
    assert clean == fid_from_feats(one, other)
    assert frechet_distance(one, other) == pytest.approx(clean, rel=1e-6)
    assert frechet_distance(one, one + 2) == pytest.approx(6 * 4)  # moved by 2 in each of 6 features
    scaled = frechet_distance(one, 3 * (one - one.mean(0)) + one.mean(0))
    assert scaled == pytest.approx(4 * np.trace(np.cov(one, rowvar=False)))  # (3 - 1)^2 of the variance


def test_torch_fidelitys_kid_is_the_mean_over_subsets_with_their_spread_and_agrees_with_clean_fids() -> None:
    one, other = features(0, 60), features(1, 80, shift=0.7)
    found = kernel_distance(one, other)
    assert found == kernel_distance(one, other), "subsets are drawn from a fixed seed"
    assert (found.n, found.n_reference) == (60, 80) and found.spread is not None and found.spread > 0
    # clean-fid uses all 60 images, this code 100 subsets of 30; they agree within the error of the mean.
    assert found.value == pytest.approx(clean_kernel_distance(one, other).value, abs=4 * found.spread / 10)
    alike = kernel_distance(one, features(2, 60))
    assert alike.spread is not None and abs(alike.value) < 2 * alike.spread < found.value


def test_kid_takes_the_librarys_subsets_where_there_are_enough_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch_fidelity.defaults import DEFAULTS
    from torch_fidelity.metric_kid import kid_features_to_metric

    assert distribution.KID_SUBSETS == DEFAULTS["kid_subsets"]
    assert distribution.KID_SUBSET_SIZE == DEFAULTS["kid_subset_size"]
    monkeypatch.setattr(distribution, "KID_SUBSET_SIZE", 20)
    one, other = features(0, 21), features(1, 30, shift=0.3)
    wanted = kid_features_to_metric(torch.from_numpy(one), torch.from_numpy(other), kid_subset_size=20, verbose=False)
    assert kernel_distance(one, other).value == wanted["kernel_inception_distance_mean"]


@directly
def test_kid_of_clean_fid_protocols_is_the_librarys_own_and_repeats(weights: WeightsFolder, place: Path) -> None:
    from cleanfid.fid import get_files_features
    from cleanfid.fid import kernel_distance as clean
    from cleanfid.inception_torchscript import InceptionV3W

    network = InceptionV3W(str(weights.path(INCEPTION_SCRIPT).parent), download=False)
    one, other = (
        get_files_features([str(path) for path in paths], network, num_workers=0, device="cpu", verbose=False)
        for paths in (files(place / "other"), files(place / "truth"))
    )
    np.random.seed(7)
    before = np.random.get_state()[1].tolist()
    found = scored(DistributionScorer(CLEAN, ("kid",), weights), place / "other", place / "truth")["kid"]
    assert np.random.get_state()[1].tolist() == before, "the caller's random numbers stay as they were"
    assert found.value == pytest.approx(clean(one, other), rel=1e-4)  # sets of equal size, so every subset is complete
    assert (found.spread, found.n, found.n_reference) == (None, COUNT, COUNT)
    one, other = features(0, 60), features(1, 80, shift=0.7)
    np.random.seed(1)
    assert clean_kernel_distance(one, other) == clean_kernel_distance(one, other)
    assert clean_kernel_distance(one, other).value == pytest.approx(clean(one, other), rel=0.05)
    assert clean_kernel_distance(one, other).value != kernel_distance(one, other).value


def test_a_scipy_that_clean_fid_cannot_call_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from cleanfid import fid

    monkeypatch.setattr(fid.linalg, "sqrtm", lambda matrix: matrix)  # takes one argument, as in SciPy 1.18
    with pytest.raises(IGRError, match="pip install 'scipy<1.18'"):
        distribution._clean_frechet(features(0), features(1))


def test_a_cache_hit_gives_the_same_numbers_without_a_network(
    weights: WeightsFolder, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    first = scored(DistributionScorer(CLEAN, ("clip_fid",), weights, cache), place / "other", place / "truth")
    assert len(list(cache.iterdir())) == 2
    with monkeypatch.context() as without:
        without.setattr(distribution, "load_network", lambda *_: pytest.fail("the network was loaded"))
        again = scored(DistributionScorer(CLEAN, ("clip_fid",), weights, cache), place / "other", place / "truth")
    uncached = scored(DistributionScorer(CLEAN, ("clip_fid",), weights), place / "other", place / "truth")
    assert first == again == uncached


def test_a_damaged_file_of_the_cache_is_computed_again(weights: WeightsFolder, place: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"

    def number() -> Spread:
        scorer = DistributionScorer(CLEAN, ("clip_fid",), weights, cache)
        return scored(scorer, place / "other", place / "truth")["clip_fid"]

    first = number()
    whole = {path: path.read_bytes() for path in cache.iterdir()}
    fewer = tmp_path / "fewer.npy"
    np.save(fewer, np.zeros((COUNT - 1, CLIP_FEATURES)))
    path = next(iter(whole))
    for content in (b"", b"no array", b"PK\x03\x04 cut off", whole[path][:-40], fewer.read_bytes()):
        path.write_bytes(content)
        assert number() == first and path.read_bytes() == whole[path]


def test_networks_run_on_the_given_device(weights: WeightsFolder, place: Path, tmp_path: Path) -> None:
    """PyTorch's meta device only computes shapes, so reading values back from it raises an error."""
    bundle, paths = save_runnable(tmp_path / "tiny.safetensors"), files(place / "truth")
    encoder = encoder_metrics(bundle)[0].network
    for network in (FIDELITY_INCEPTION, FIDELITY_CLIP, encoder):
        loaded = load_network(network, network.path(weights), torch.device("meta"))
        with pytest.raises(RuntimeError, match="meta tensor"):
            extract(loaded, paths, None, "")
        assert extract(load_network(network, network.path(weights)), paths[:1], None, "").shape[0] == 1


def test_the_cache_is_keyed_by_contents_size_library_and_weights(
    weights: WeightsFolder, place: Path, tmp_path: Path
) -> None:
    cache, folder = tmp_path / "cache", tmp_path / "pictures"
    folder.mkdir()
    for file in files(place / "other"):
        (folder / file.name).write_bytes(file.read_bytes())
    other_weights = WeightsFolder(write_weights(tmp_path / "weights", [CLIP_B32], seed=1))

    def number(protocol: object = CLEAN, from_: WeightsFolder = weights) -> float:
        scorer = DistributionScorer(protocol, ("clip_fid",), from_, cache)  # type: ignore[arg-type]
        return scored(scorer, folder, place / "truth")["clip_fid"].value

    values = [number(), number(replace(CLEAN, size=(24, 32))), number(NATIVE), number(from_=other_weights)]
    (folder / "0.png").write_bytes((place / "truth" / "0.png").read_bytes())
    values.append(number())
    assert len(set(values)) == 5
    assert len(list(cache.iterdir())) == 2 * 4 + 1  # two files for each setting, then one for the new contents
    assert number() == values[-1] and len(list(cache.iterdir())) == 9


def test_the_bundles_encoder_gets_squares_of_the_whole_image(
    weights: WeightsFolder, place: Path, tmp_path: Path
) -> None:
    bundle = save_runnable(tmp_path / "tiny.safetensors")
    scorer = DistributionScorer(NATIVE, ("encoder_fd",), weights, encoder=bundle)
    values = [
        scored(scorer, place / name, place / "truth")["encoder_fd"].value for name in ("truth", "noisy_20", "noisy_180")
    ]
    assert abs(values[0]) < 1e-3 < values[1] < values[2]
    encode = distribution._bundle_encoder(bundle, torch.device("cpu"))
    wide = torch.zeros(1, 3, 30, 60, dtype=torch.uint8)
    square = torch.full((1, 3, 60, 60), 255, dtype=torch.uint8)
    square[..., 15:45, :] = 0
    assert torch.allclose(encode(wide), encode(square), atol=1e-5)


def test_images_of_several_sizes_are_processed_one_by_one(weights: WeightsFolder, place: Path, tmp_path: Path) -> None:
    network = load_network(CLEAN_CLIP, weights.path(CLIP_B32))
    paths = files(place / "truth")[:2]
    with Image.open(paths[0]) as picture:
        picture.resize((96, 128)).save(tmp_path / "large.png")
    mixed = extract(network, [*paths, tmp_path / "large.png"], None, "")
    np.testing.assert_allclose(mixed[:2], extract(network, paths, None, ""), rtol=1e-4, atol=1e-5)
    assert len(mixed) == 3 and not np.allclose(mixed[2], mixed[0])


def test_fewer_than_three_images_are_not_a_set(weights: WeightsFolder, place: Path) -> None:
    scorer = DistributionScorer(CLEAN, ("clip_fid", "kid"), weights)
    assert scorer.score(files(place / "truth")[:2], files(place / "truth")) == {} and not scorer.used
    assert scorer.skipped["kid"] == "kid needs sets of at least 3 images, but one has 2."
    again = DistributionScorer(CLEAN, ("clip_fid", "kid"), weights)
    assert set(again.score(files(place / "truth")[:3], files(place / "other")[:3])) == {"clip_fid", "kid"}


def test_without_weights_each_metric_names_its_file(tmp_path: Path) -> None:
    for protocol, inception in ((NATIVE, INCEPTION), (CLEAN, INCEPTION_SCRIPT)):
        scorer = DistributionScorer(protocol, ALL, WeightsFolder(tmp_path))
        assert not scorer.used and set(scorer.skipped) == {"fid", "clip_fid", "kid"}
        for name, file in (("fid", inception), ("kid", inception), ("clip_fid", CLIP_B32)):
            assert scorer.skipped[name].startswith(f"{file.name} is missing from checkpoints/")


def test_a_library_that_is_not_installed_is_named(weights: WeightsFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(distribution._MODULES, "clean-fid", "module_that_is_nowhere")
    assert "run `pip install clean-fid`." in DistributionScorer(CLEAN, ("fid",), weights).skipped["fid"]
    assert not DistributionScorer(NATIVE, ("fid",), weights).skipped
    monkeypatch.undo()
    monkeypatch.setitem(distribution._MODULES, "torch-fidelity", "module_that_is_nowhere")
    assert list(DistributionScorer(CLEAN, ("fid", "kid", "clip_fid"), weights).skipped) == ["clip_fid"]


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04 cut off"], ids=["empty", "a page", "cut off"])
def test_a_damaged_file_skips_its_metrics_in_one_sentence_and_leaves_no_cache(
    content: bytes, weights: WeightsFolder, place: Path, tmp_path: Path
) -> None:
    folder = write_weights(tmp_path, [CLIP_B32])
    for file in (INCEPTION, INCEPTION_SCRIPT):
        (folder / "checkpoints" / file.name).write_bytes(content)
    for protocol, file, network in (
        (NATIVE, INCEPTION, FIDELITY_INCEPTION),
        (CLEAN, INCEPTION_SCRIPT, CLEAN_INCEPTION),
    ):
        scorer = DistributionScorer(protocol, ("kid", "clip_fid"), WeightsFolder(folder), tmp_path / "cache")
        found = scorer.score(files(place / "other"), files(place / "truth"))
        assert set(found) == set(scorer.used) == {"clip_fid"}
        assert scorer.skipped == {
            "kid": f"{file.name} does not contain the {network.name} network in a form that {network.library} reads: "
            "download it again."
        }
    assert len(list((tmp_path / "cache").iterdir())) == 4


def test_another_networks_file_skips_its_metrics(weights: WeightsFolder, place: Path, tmp_path: Path) -> None:
    folder = write_weights(tmp_path, [INCEPTION_SCRIPT])
    (folder / "checkpoints" / CLIP_B32.name).write_bytes((folder / "checkpoints" / INCEPTION_SCRIPT.name).read_bytes())
    scorer = DistributionScorer(CLEAN, ("clip_fid",), WeightsFolder(folder))
    assert scorer.score(files(place / "other"), files(place / "truth")) == {}
    assert scorer.skipped["clip_fid"].startswith(f"{CLIP_B32.name} does not contain the clip, clean-fid network")


def test_a_missing_bundle_is_named(weights: WeightsFolder, tmp_path: Path) -> None:
    scorer = DistributionScorer(NATIVE, ALL, weights, tmp_path / "cache", tmp_path / "nowhere.safetensors")
    assert "nowhere.safetensors does not exist" in scorer.skipped["encoder_fd"]
