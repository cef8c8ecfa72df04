import igr_core  # noqa: F401 - before the libraries that modules here import ahead of it
