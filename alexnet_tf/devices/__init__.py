"""What a computation runs on: strategies, workers, precision, the processor.

It knows no network. The stages that compute and the rooms above import it. It imports TensorFlow when it runs.
"""
