"""A study's comparison as files for a paper: figures, tables, a methods paragraph, and the data that makes them again.

```
DIR/data/        study.json, votes.csv, predictions.csv: all that the rest is computed from (`report --from DIR`)
    results.json what `compare --json` prints
    tables/      each as CSV and LaTeX
    figures/     each as SVG, PDF and PNG
    methods.md   and methods.tex: the paragraph, with every constant
    SHA256SUMS
```
"""
