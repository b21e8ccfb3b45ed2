"""Results and tables in; rendered pages of docs/ out. Only `alexnet docs` imports it."""
