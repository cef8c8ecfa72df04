"""The computation of a step and its cost: precision, processes, adapters, memory."""
