"""A seed in; photographs of toys out, as the sample data set has them.

Only the source `sample` of the stage download imports it. NumPy and Pillow only.
"""
