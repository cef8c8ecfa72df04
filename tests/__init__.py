"""Tests, with one folder for each part of the repository. This is a package because torch-fidelity installs one named
tests, which would otherwise be imported first.
"""
