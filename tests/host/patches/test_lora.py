"""A LoRA on the denoiser equals the denoiser with the LoRA merged, for reference tokens too."""

from __future__ import annotations

import dataclasses

import torch
from safetensors.torch import save_file

from igr_core.model.bundle import Bundle, save_bundle
from tests.support.host.graphs import LATENT, TINY, node, restore, with_inputs
from tests.support.host.server import Server

TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
BLOCK = "{}.attentions.0.transformer_blocks.0.attn1.{}"
PLACES = ("down_blocks.0", "mid_block", "up_blocks.1")
RANK = 4


def test_a_lora_gives_the_results_of_its_merged_weights(server: Server) -> None:
    models = server.base / "models"
    bundle = Bundle.open(models / "igr" / TINY)
    parts = {entry["part"]: bundle.tensors(entry["part"]) for entry in bundle.summary()}
    lora: dict[str, torch.Tensor] = {}
    generator = torch.Generator().manual_seed(5)
    for name in (BLOCK.format(place, target) for place in PLACES for target in TARGETS):
        weight = parts["denoiser"][f"{name}.weight"]
        up = torch.randn(weight.shape[0], RANK, generator=generator) * 0.2
        down = torch.randn(RANK, weight.shape[1], generator=generator) * 0.2
        key = f"lora_unet_{name.replace('.', '_')}"
        lora |= {
            f"{key}.lora_up.weight": up,
            f"{key}.lora_down.weight": down,
            f"{key}.alpha": torch.tensor(float(RANK)),
        }
        parts["denoiser"][f"{name}.weight"] = weight + 0.7 * up @ down
    (models / "loras").mkdir(exist_ok=True)
    save_file(lora, models / "loras" / "test.safetensors")
    save_bundle(models / "igr" / "merged.safetensors", dataclasses.replace(bundle.info, name="merged"), parts)

    graph = restore()
    graph["lora"] = node("LoraLoaderModelOnly", model=["load", 0], lora_name="test.safetensors", strength_model=0.7)
    with_lora = server.latents(with_inputs(graph, "apply", model=["lora", 0]), LATENT)
    after_apply = with_inputs(graph, "lora", model=["apply", 0])
    behind = server.latents(with_inputs(after_apply, "sample", model=["lora", 0]), LATENT)
    merged = server.latents(restore("merged.safetensors"), LATENT)
    assert (with_lora - merged).abs().max() < 1e-3 * float(merged.abs().max())
    assert (behind - merged).abs().max() < 1e-3 * float(merged.abs().max())
    assert not torch.allclose(server.latents(restore(), LATENT), merged, atol=1e-2)
