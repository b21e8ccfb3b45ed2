"""Records and a recipe in; a trained network and its history out. Only the stage train imports it.

It imports TensorFlow and Keras; `recipe` does without, so that params.yaml can be checked without them.
"""
