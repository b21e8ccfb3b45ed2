"""The update rule of §5, on one array."""


def momentum_step(w, v, gradient, *, epsilon: float, momentum: float = 0.9, decay: float = 0.0005):
    """v ← 0.9·v - 0.0005·ε·w - ε·∂L/∂w;  w ← w + v. Return (w, v)."""
    v = momentum * v - decay * epsilon * w - epsilon * gradient
    return w + v, v
