"""Stored images in, logits out; and a model on disk. What train, evaluate and export share.

The rooms of single stages (`training`, `evaluation`, `export`) and the pipeline import it. TensorFlow and Keras;
`specs`, `spec`, `four_layer_spec`, `window_geometry` and `layer_table` do without, so that params.yaml can be checked
without them.
"""
