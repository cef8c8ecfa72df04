"""Reports: an experiment's page, plots and contact sheet, loss curves, and validation of the texture metric."""
