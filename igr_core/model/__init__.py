"""The model: its configs, its networks, GarmFus, and the bundle that holds it all."""
