"""From published weights to a bundle, and from a run to one."""
