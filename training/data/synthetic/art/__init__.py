"""Colours, shapes, cloth patterns and lettering, also used by rendered pairs."""
