"""A model and a test split in; errors, tables, pictures and neighbours out.

The stage evaluate, `image_classifier`, and the pipeline where it scores or predicts import it. TensorFlow, and
matplotlib through `plotting`.
"""
