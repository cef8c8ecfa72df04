"""Tests, one folder per room. A package, as torch-fidelity installs one called tests that would be found before it."""
