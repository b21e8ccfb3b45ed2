"""Results that are kept in Git: read, grouped, averaged, held against targets.

Pages, verification and commands import it. TensorFlow is imported when a model is scored.
"""
