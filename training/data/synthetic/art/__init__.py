"""Colours, shapes, cloth patterns and lettering, which rendered pairs use too."""
