"""Scoring of restored garments: one result type, one registry of metrics, one table, and experiments over them.

result.py                   scores of each pair, intervals and provenance, as JSON; differences between results
metrics/registry.py         every metric by name: title, digits, which side is better, whether a protocol defines it
metrics/protocols.py        named protocols: sizes and libraries
metrics/garment.py          this project's own metrics, within the garment's silhouette
metrics/paired.py           metrics of a pair: a protocol's and our own
metrics/distribution.py     FID, CLIP-FID, KID: metrics of two sets
metrics/weights.py          published files of the metrics' networks
experiments/experiment.py   the YAML file: rows, settings, held-out sets, controls, comparisons
experiments/running.py      restores and scores everything; can be resumed
experiments/restoring.py    restores the pairs of a row: one photo or several, with or without details
experiments/scoring.py      scores two folders, after checking everything
experiments/others.py       rows that are folders of other methods' images
experiments/folder.py       reads an experiment's folder as results and tables; stores its numbers
experiments/history.py      how long a bundle was trained
experiments/compact.py      the scores in a bundle's metadata
tables/table.py             the table: means, intervals, differences from a baseline, over training seeds
tables/paper.py             the paper's Tables 1 to 3 next to measured results
tables/markdown.py          Markdown tables, and the markers on pages
images/                     held-out pairs as images, controls, folders; other methods' images made comparable
reports/                    the HTML report, plots, contact sheet, loss curves, validation of the texture metric

A new metric: compute it in garment.py or paired.py, name it in registry.py. A new held-out set: a data set of
training/data, named under `sets` of an experiment. Tables in the docs: training/results.
"""
