"""How a step is computed, and at what cost: precision, processes, LoRA, memory."""
