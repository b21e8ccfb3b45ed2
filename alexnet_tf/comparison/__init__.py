"""Reports of several variants in; one comparison as numbers, text, charts and a page out.

The stage compare and the commands that show its result import it. No TensorFlow; matplotlib only in `figures`.
"""
