"""Logits and labels in; counts, errors and intervals out. Anyone may import it. NumPy only."""
