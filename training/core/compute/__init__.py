"""How a step is computed, and what it costs: precision, processes, adapters, memory."""
