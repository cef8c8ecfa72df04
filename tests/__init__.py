"""Tests, with one folder for each part of the repository. This folder is a package because torch-fidelity installs a
package named `tests`, which would otherwise be imported first.
"""
