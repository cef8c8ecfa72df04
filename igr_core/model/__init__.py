"""The model: configs, networks, GarmFus, and the bundle file that contains them."""
