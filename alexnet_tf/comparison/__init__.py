"""Reports of several variants in; one comparison as numbers, text, charts and a page out.

The stage compare, and what shows a comparison in the pipeline, import it. No TensorFlow; matplotlib through `plotting`,
in `figures` alone, and Pillow in `gallery`.
"""
