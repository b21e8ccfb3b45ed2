"""Results and tables in; rendered pages of docs/, tables of README.md and lists in dvc.yaml out.

Only `alexnet docs` imports it.
"""
