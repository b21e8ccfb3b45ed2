"""Records and a recipe in; a trained network and its history out.

The stage train imports it, and the pipeline asks `checkpoint` and `history` what a training has left. TensorFlow and
Keras; `recipe`, `schedule` and `history` do without.
"""
