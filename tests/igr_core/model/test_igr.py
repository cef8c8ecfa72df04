"""Strength 0 is the plain UNet, and a batch equals single runs: real networks, tiny and with SD1.5's full shape."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import torch._dynamo
from diffusers.models.attention import FeedForward
from diffusers.models.attention_processor import AttnProcessor2_0
from torch import nn

from igr_core.model.config import ModelConfig, UNetConfig
from igr_core.model.diffusers_adapter import compile_layers, install_fusion, self_attention_order, unused_parameters
from igr_core.model.garmfus import attend
from igr_core.model.igr import IGR
from igr_core.model.networks import build_unet
from tests.support.models.tiny import MODEL

CATEGORIES = ["upper", "lower", "full"]


@pytest.fixture(scope="module", params=["none", "sincos"])
def model(request: pytest.FixtureRequest) -> IGR:
    torch.manual_seed(3)
    model = IGR(dataclasses.replace(MODEL, reference_position=request.param)).eval().requires_grad_(False)
    for prompt in model.prompts.values():
        prompt.normal_()
    return model


@pytest.fixture(scope="module")
def inputs(model: IGR) -> dict:
    generator = torch.Generator().manual_seed(5)
    person, mask, features = (
        torch.randn(shape, generator=generator) for shape in ((3, 4, 8, 6), (3, 1, 8, 6), (3, 16))
    )
    return {
        "latent": torch.randn(3, 4, 8, 6, generator=generator),
        "timestep": torch.tensor([999, 500, 20]),
        "reference": model.encode_reference(person, mask.sigmoid(), CATEGORIES),
        "image": features,
    }


def denoise(model: IGR, inputs: dict, rows: list[int], text: list[str], order: list[int], **options) -> torch.Tensor:
    fusion = model.fusion(inputs["latent"], rows, inputs["reference"], rows, inputs["image"], **options)
    return model.denoise(inputs["latent"][order], inputs["timestep"][order], model.text(text), fusion)


def plain(model: IGR, inputs: dict, text: list[str], order: list[int]) -> torch.Tensor:
    """The same weights in a UNet as set up by diffusers."""
    unet = build_unet(model.config.denoiser).eval()
    unet.load_state_dict(model.denoiser.state_dict())
    unet.set_attn_processor(AttnProcessor2_0())
    with torch.no_grad():
        return unet(inputs["latent"][order], inputs["timestep"][order], model.text(text)).sample


def test_no_reference_is_the_unpatched_model_bit_for_bit(model: IGR, inputs: dict) -> None:
    order, text = [0, 1, 2], ["empty"] * 3
    assert torch.equal(denoise(model, inputs, [-1, -1, -1], text, order), plain(model, inputs, text, order))


def test_strength_zero_is_the_unpatched_model_bit_for_bit(model: IGR, inputs: dict) -> None:
    order = [0, 1, 2]
    off = denoise(model, inputs, order, CATEGORIES, order, reference_strength=0.0, image_prompt_strength=0.0)
    assert torch.equal(off, plain(model, inputs, CATEGORIES, order))


@pytest.mark.parametrize("option", ["reference_strength", "image_prompt_strength"])
def test_each_strength_matters_by_itself(model: IGR, inputs: dict, option: str) -> None:
    order = [0, 1, 2]
    full = denoise(model, inputs, order, CATEGORIES, order)
    assert (denoise(model, inputs, order, CATEGORIES, order, **{option: 0.0}) - full).abs().max() > 1e-4


def test_split_rows_equal_one_batch_in_any_order(model: IGR, inputs: dict) -> None:
    sources, order = [-1, 2, 0, -1, 1], [0, 2, 0, 1, 1]
    text = ["empty", "full", "upper", "empty", "lower"]
    batch = denoise(model, inputs, sources, text, order)
    for row, (source, prompt, place) in enumerate(zip(sources, text, order, strict=True)):
        alone = denoise(model, inputs, [source], [prompt], [place])
        assert (alone[0] - batch[row]).abs().max() < 1e-4


def test_unconditional_rows_never_see_their_neighbours_reference(model: IGR, inputs: dict) -> None:
    order, text = [0, 1, 2, 0, 1, 2], ["empty"] * 3 + CATEGORIES
    batch = denoise(model, inputs, [-1, -1, -1, 0, 1, 2], text, order)
    assert torch.allclose(batch[:3], plain(model, inputs, ["empty"] * 3, [0, 1, 2]), atol=1e-5)


def test_kept_reference_keys_change_nothing(model: IGR, inputs: dict) -> None:
    rows = order = [0, 1, 2]
    fusion = model.fusion(inputs["latent"], rows, inputs["reference"], rows, inputs["image"], keep=True)
    arguments = inputs["latent"], inputs["timestep"], model.text(CATEGORIES), fusion
    first, second = model.denoise(*arguments), model.denoise(*arguments)
    assert torch.equal(first, second)
    assert torch.equal(first, denoise(model, inputs, rows, CATEGORIES, order))


def denoise_photos(model: IGR, inputs: dict, photos: list, order: list[int], **options) -> torch.Tensor:
    """Rows with chosen photos, and without an image prompt."""
    fusion = model.fusion(inputs["latent"], photos, inputs["reference"], [-1] * len(photos), None, **options)
    return model.denoise(inputs["latent"][order], inputs["timestep"][order], model.text(["upper"] * len(order)), fusion)


def test_rows_with_different_numbers_of_photos_are_computed_as_if_alone(model: IGR, inputs: dict) -> None:
    photos, order = [(0, 1), -1, (2,), (2, 0, 1), 1, (1, 0)], [0, 1, 2, 0, 1, 2]
    together = denoise_photos(model, inputs, photos, order)
    for row, (sources, latent) in enumerate(zip(photos, order, strict=True)):
        alone = denoise_photos(model, inputs, [sources], [latent])
        assert torch.allclose(together[row], alone[0], atol=1e-5), sources


def test_one_photo_is_the_same_bit_for_bit_however_it_is_written(model: IGR, inputs: dict) -> None:
    written = [[0, -1, 2], [(0,), (), (2,)]]
    one, other = (denoise_photos(model, inputs, photos, [0, 1, 2]) for photos in written)
    assert torch.equal(one, other)


def test_a_repeated_photo_has_twice_the_weight_and_order_does_not_matter(model: IGR, inputs: dict) -> None:
    twice = denoise_photos(model, inputs, [(1, 1)], [0])
    assert torch.allclose(twice, denoise_photos(model, inputs, [1], [0], reference_strength=2.0), atol=1e-5)
    one, other = (denoise_photos(model, inputs, [photos], [0]) for photos in ((0, 2), (2, 0)))
    assert torch.allclose(one, other, atol=1e-5) and not torch.allclose(one, twice, atol=1e-3)


def test_watched_blocks_record_their_queries_and_keys(model: IGR, inputs: dict) -> None:
    fusion = model.fusion(inputs["latent"], [(0, 1), -1, (2,)], inputs["reference"], [-1] * 3, None)
    fusion.notes = {"down_blocks.0.attentions.0": []}
    model.denoise(inputs["latent"], inputs["timestep"], model.text(["upper"] * 3), fusion)
    (noted,) = fusion.notes.values()
    shapes = [(one.rows, tuple(one.query.shape), tuple(one.reference_key.shape)) for one in noted]
    assert shapes == [([0], (1, 48, 32), (1, 96, 32)), ([2], (1, 48, 32), (1, 48, 32))]


def test_a_custom_attention_reaches_every_layer(model: IGR, inputs: dict) -> None:
    """A replacement for `attend` is used, and restoring the original gives the same bits again."""
    calls = 0

    def counted(query, key, value, heads, mask):  # noqa: ANN001, ANN202
        nonlocal calls
        calls += 1
        return attend(query, key, value, heads, mask)

    before = denoise(model, inputs, [0, 1, 2], CATEGORIES, [0, 1, 2])
    model.use_attention(counted)
    try:
        assert torch.equal(denoise(model, inputs, [0, 1, 2], CATEGORIES, [0, 1, 2]), before)
        self_attentions = len(self_attention_order(model.denoiser))
        assert calls == 3 * self_attentions  # reference, text and image prompt of each block
        model.encode_reference(torch.zeros(1, 4, 8, 6), torch.ones(1, 1, 8, 6), ["upper"])
        assert calls == 5 * self_attentions - 1  # text and self in GarmNet, which stops at its last capture
    finally:
        model.use_attention(attend)
    assert torch.equal(denoise(model, inputs, [0, 1, 2], CATEGORIES, [0, 1, 2]), before)


def test_compiled_layers_are_compiled_for_every_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond torch's limit of 8 shapes, they would run uncompiled without an error."""
    compile_module = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda self, **options: compile_module(self, backend="eager", **options))
    layer = FeedForward(8).eval()
    compile_layers(layer, on_gpu=False)
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True), torch.no_grad():
        for tokens in range(1, 12):
            layer(torch.randn(1, tokens, 8))
    with pytest.raises(torch._dynamo.exc.FailOnRecompileLimitHit), torch.no_grad():
        with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True, cache_size_limit=8):
            layer(torch.randn(1, 12, 8))


def test_garmnet_gives_normalised_hidden_states_of_every_self_attention(model: IGR, inputs: dict) -> None:
    assert list(inputs["reference"]) == self_attention_order(model.denoiser)
    for features in inputs["reference"].values():
        assert features.shape[0] == 3
        assert features.mean(-1).abs().max() < 1e-4  # layer norm at its initial weights


def test_capturing_garmnet_equals_the_plain_unet_up_to_each_self_attention(model: IGR) -> None:
    """Hooks on an unchanged copy see the same inputs of attn1."""
    if model.config.reference_position != "none":
        pytest.skip("the plain UNet adds no position to its hidden states")
    assert model.garmnet is not None
    copy = build_unet(MODEL.garmnet).eval()
    copy.load_state_dict(model.garmnet.state_dict())
    copy.set_attn_processor(AttnProcessor2_0())
    seen: list[torch.Tensor] = []
    for name, module in copy.named_modules():
        if name.endswith("attn1"):
            module.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    person, mask = torch.randn(1, 4, 8, 6), torch.rand(1, 1, 8, 6)
    with torch.no_grad():
        copy(torch.cat([person, mask], 1), torch.zeros(1).long(), model.text(["upper"]))
    features = model.encode_reference(person, mask, ["upper"])
    assert len(seen) == len(features)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(seen, features.values(), strict=True))


@pytest.mark.parametrize("levels", [(True, True), (False, True)])
def test_every_trained_parameter_gets_a_gradient(levels: tuple[bool, ...]) -> None:
    unet = dataclasses.replace(MODEL.denoiser, attention_levels=levels)
    model = IGR(dataclasses.replace(MODEL, denoiser=unet, garmnet=dataclasses.replace(unet, in_channels=5)))
    for prompt in model.prompts.values():
        prompt.data.normal_()
    out = model(
        torch.randn(2, 4, 8, 6),
        torch.tensor([10, 900]),
        ["upper", "empty"],
        torch.randn(1, 4, 8, 6),
        torch.rand(1, 1, 8, 6),
        ["upper"],
        torch.randn(1, 16),
        [0, -1],
        [0, -1],
    )
    out.square().mean().backward()
    named = dict(model.named_parameters())
    assert [name for name, p in named.items() if p.requires_grad and p.grad is None] == []
    unused = {f"garmnet.{name}" for name in unused_parameters(model.garmnet)}  # type: ignore[arg-type]
    assert unused == {name for name, p in named.items() if name.startswith("garmnet.") and p.grad is None}


def test_sd15_shapes_are_the_published_ones() -> None:
    with torch.device("meta"):
        model = IGR(ModelConfig())
    assert model.garmnet is not None and model.image_prompt is not None
    denoiser = sum(p.numel() for p in model.denoiser.parameters())
    assert denoiser == 859_520_964
    assert sum(p.numel() for p in model.garmnet.parameters()) == 859_520_964 + 320 * 3 * 3
    assert len(self_attention_order(model.denoiser)) == 16
    # ip-adapter_sd15: 22 M parameters, layers numbered by the odd numbers 1..31
    assert [key for key in model.image_prompt.ip_adapter] == [str(i) for i in range(1, 32, 2)]
    assert model.image_prompt.ip_adapter["1"].to_k_ip.weight.shape == (320, 768)
    assert model.image_prompt.ip_adapter["31"].to_k_ip.weight.shape == (1280, 768)
    assert model.image_prompt.image_proj.proj.weight.shape == (4 * 768, 1024)


def test_igr_small_and_sd15_are_one_class_with_other_configs() -> None:
    small = build_unet(UNetConfig(block_out_channels=(64, 128, 128), attention_levels=(True,) * 3,
                                  layers_per_block=1, attention_head_width=64, cross_attention_dim=128))  # fmt: skip
    with torch.device("meta"):
        large = build_unet(UNetConfig())
    install_fusion(small)
    install_fusion(large)
    assert type(small) is type(large)
