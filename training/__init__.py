"""A library for IGR's data, training and evaluation, with its commands in `cli`."""
