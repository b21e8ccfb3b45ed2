"""Results and tables in; rendered pages of docs/, tables of README.md and lists in dvc.yaml out.

`alexnet docs` and the benchmarks import it.
"""
