"""Train and measure the network that lays garments out flat."""
