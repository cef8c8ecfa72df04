import igr_core  # noqa: F401 - before the libraries that tests import ahead of it
