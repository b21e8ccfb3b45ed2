"""What makes programs that tests run in a fresh Python start sooner."""

LEAN = "import sys; sys.modules.update(dict.fromkeys(('matplotlib', 'pandas', 'sklearn')))\n"
"""First line of a program: Keras, which comes with TensorFlow, does not find then what it would import in turn."""
