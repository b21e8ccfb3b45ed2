"""Stored images in, logits out; and a model on disk. What train, evaluate and export share.

`specs` and `layer_table` describe networks without TensorFlow; the others import TensorFlow and Keras. The rooms of
single stages (`training`, `evaluation`, `export`) import it, never the other way round.
"""
