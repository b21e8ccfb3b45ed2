"""Data on disk: any image in, square pixels and records out, and back into arrays.

Anyone may import it. Beam workers run it, so it imports neither TensorFlow nor Keras: NumPy, Pillow and decoders only.
"""
