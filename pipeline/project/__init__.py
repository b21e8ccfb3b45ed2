"""Projects outside a clone: `alexnet init` makes a folder that the installed package runs.

In comes a folder and perhaps a source of images, out come the files of `files/`; `alexnet docs` keeps the copies there
equal to the repository's own. Only the commands import it.
"""
