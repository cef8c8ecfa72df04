"""The model: configs, networks, GarmFus, and the bundle file that holds all of it."""
