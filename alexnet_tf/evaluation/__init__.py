"""A model and a test split in; errors, tables, pictures and neighbours out.

It imports TensorFlow, and matplotlib where it draws. The stage evaluate and the commands that score or predict import
it.
"""
