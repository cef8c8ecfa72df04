"""Sampling: noise schedule, steps of the samplers, guidance, presets, and the headless loop."""
