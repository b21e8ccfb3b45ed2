"""Where raw images come from: one module per source, each ending in a `Source`, a listing and the bytes of each image.

The stage download, `conversion`, and the pipeline where it looks whether a source has changed, import it.
tensorflow-datasets is imported when one of its sets is asked for.
"""
