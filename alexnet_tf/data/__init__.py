"""What lies on disk: any image in, square pixels and records out, and back into arrays.

Beam workers run it, so it imports neither TensorFlow nor Keras. Anyone may import it.
"""
