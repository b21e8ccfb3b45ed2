"""Raw images in; a survey, anomalies and drift out: whether a data set is fit to learn from.

Only the stage validate imports it. No TensorFlow; tensorflow_metadata here alone.
"""
