"""Logits and labels in; counts, errors and intervals out. NumPy only. Anyone may import it."""
