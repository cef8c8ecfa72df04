"""Layer norm and GELU in float32 under mixed precision, because their bfloat16 kernels are slow on CPUs."""

from __future__ import annotations

from diffusers.models.activations import GEGLU
from torch import Tensor, nn
from torch.nn import functional as F


class Float32LayerNorm(nn.LayerNorm):
    """Layer norm that computes and returns float32."""

    def forward(self, input: Tensor) -> Tensor:
        """(..., C) in any precision -> (..., C) in float32."""
        return F.layer_norm(input.float(), self.normalized_shape, self.weight, self.bias, self.eps)


class Float32GELU(nn.GELU):
    """GELU that computes in float32."""

    def forward(self, input: Tensor) -> Tensor:
        """Accepts any shape; the result has the input's precision."""
        return F.gelu(input.float(), approximate=self.approximate).to(input.dtype)


class Float32GEGLU(GEGLU):
    """Gated linear unit whose GELU computes in float32."""

    def gelu(self, gate: Tensor) -> Tensor:
        """Accepts any shape; the result has the input's precision."""
        return F.gelu(gate.float()).to(gate.dtype)


def use_float32_layers(root: nn.Module) -> None:
    """Replace layer norm and GELU layers with this module's layers, which share the parameters."""
    for parent in list(root.modules()):
        for name, child in list(parent.named_children()):
            layer = _float32(child)
            if layer is not None:
                layer.train(child.training)
                setattr(parent, name, layer)


def _float32(module: nn.Module) -> nn.Module | None:
    if type(module) is nn.LayerNorm:
        layer = Float32LayerNorm(module.normalized_shape, module.eps, module.elementwise_affine, device="meta")
        layer.weight, layer.bias = module.weight, module.bias
        return layer
    if type(module) is nn.GELU:
        return Float32GELU(module.approximate)
    if type(module) is GEGLU:
        layer = Float32GEGLU(1, 1)
        layer.proj = module.proj
        return layer
    return None
