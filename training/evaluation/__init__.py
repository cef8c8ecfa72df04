"""Score restored garments, with one result type, one registry of metrics, one type of table, and experiments.

result.py                   scores of each pair, intervals and provenance, as JSON; differences between results
metrics/registry.py         every metric by name: title, digits, better direction, whether a protocol defines it
metrics/protocols.py        named protocols: sizes and libraries
metrics/garment.py          this project's own metrics, within the garment's silhouette
metrics/paired.py           metrics of a pair, from protocols and our own
metrics/distribution.py     FID, CLIP-FID and KID between two sets
metrics/weights.py          published files of the metrics' networks
experiments/experiment.py   the YAML file: rows, settings, held-out sets, controls, comparisons
experiments/running.py      restores and scores everything; can be resumed
experiments/restoring.py    restores a row's pairs from one photo or several, with or without details
experiments/scoring.py      scores two folders, after checking everything
experiments/others.py       rows that are folders of other methods' images
experiments/folder.py       reads results and tables from an experiment's folder; stores its numbers
experiments/history.py      how long a bundle was trained
experiments/compact.py      scores for a bundle's metadata
tables/table.py             the table: means, intervals, differences from a baseline, over training seeds
tables/paper.py             the paper's Tables 1 to 3 next to measured results
tables/markdown.py          Markdown tables, and the markers on pages
images/                     held-out pairs as images, controls, folders; makes other methods' images comparable
reports/                    the HTML report, plots, contact sheet, loss curves, validation of the texture metric

To add a metric, compute it in garment.py or paired.py, and name it in registry.py. To add a held-out set, name a data
set that training/data can open under `sets` of an experiment. training/results contains the results behind the tables
in the docs.
"""
