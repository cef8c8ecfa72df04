"""Scoring of restored garments: one result type, one registry of metrics, one table, and experiments over them.

result.py                   scores of each pair, intervals and provenance, as JSON; differences of two results
metrics/registry.py         every metric by name: title, digits, better side, and whose library and setting it is
metrics/protocols.py        named protocols: at which size, and by which libraries
metrics/garment.py          this project's own metrics, inside the garment's silhouette
metrics/paired.py           the metrics of a pair that a protocol names, and the own ones
metrics/distribution.py     FID, CLIP-FID, KID: metrics of two sets
metrics/weights.py          published files that metrics' networks are read from
experiments/experiment.py   the YAML file: rows, settings, held-out sets, controls, comparisons
experiments/running.py      restores and scores all of it; a stopped run goes on
experiments/scoring.py      scores two folders, everything checked first
experiments/others.py       rows that are folders of other methods' images
experiments/folder.py       reads what an experiment left, as results and as tables; keeps it
experiments/history.py      how long a bundle was trained
experiments/compact.py      the scores that a bundle's own metadata keeps
tables/table.py             the table: means, intervals, differences to a base row, over training seeds
tables/paper.py             the paper's Tables 1 to 3 beside what was measured
tables/markdown.py          Markdown, and its place between the markers of a page
pictures/                   held-out pairs as images, controls, folders; other methods' images made comparable
reports/                    the HTML report, plots, contact sheet, loss curves, what the texture metric prefers

A new metric: compute it in garment.py or paired.py, name it in registry.py. A new held-out set: a data set of
training/data, named under `sets` of an experiment. Every table of the docs: training/results.
"""
