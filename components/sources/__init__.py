"""Where raw images come from: one module per source, each ending in a `Source`, a listing and the bytes of each image.

The stage download and `conversion` import it, and the pipeline where it lists images, makes a project for them, or
looks whether a source has changed.
tensorflow-datasets is imported when one of its sets is asked for.
"""
