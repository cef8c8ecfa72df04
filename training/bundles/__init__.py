"""Make bundles from published weights and from training runs."""
