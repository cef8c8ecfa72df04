"""The supported layouts of data sets, with a common interface."""
