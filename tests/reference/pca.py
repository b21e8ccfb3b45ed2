"""The colour noise of §4.1: [p1, p2, p3][α1 λ1, α2 λ2, α3 λ3]ᵀ is added to every pixel of an image."""

import numpy as np


def paper_covariance(pixels, *, scale: float = 0.1) -> np.ndarray:
    """Return the 3 x 3 covariance of the noise read literally, λ of `pixels` (M, 3) in whatever unit they have."""
    eigenvalues, p = np.linalg.eigh(np.cov(pixels.T, ddof=0))
    return scale**2 * p @ np.diag(eigenvalues**2) @ p.T


def code_covariance(pixels, *, scale: float = 0.1) -> np.ndarray:
    """Return the same with √λ for λ, which is scale² times the covariance of the pixels."""
    return scale**2 * np.cov(pixels.T, ddof=0)
