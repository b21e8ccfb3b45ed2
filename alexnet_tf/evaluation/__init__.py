"""A model and a test split in; errors, tables, pictures and neighbours out.

The stage evaluate, `image_classifier` and the commands that score or predict import it. TensorFlow, and matplotlib
through `plotting`.
"""
