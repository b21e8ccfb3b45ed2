"""The dials of the generated sample: all that makes its classes easy or hard to tell."""

RADIUS = (0.34, 0.47)
"""Radius of the toy, as a share of the image's shorter side; smaller is harder."""
OFF_CENTRE = 0.10
"""How far the toy's centre is from the image's, at most, as a share of the shorter side; more is harder."""
PERIOD = (0.45, 0.62)
"""Period of the pattern in radii; smaller is harder at 64 pixels."""
TILT = 0.18
"""Largest shear and squeeze of the toy; more makes outlines alike, so is harder."""
OWN_PALETTE_SHARE = 0.8
"""How often a toy wears its class's own palette and not just any; at 0 colour says nothing of the class."""
CONTRAST = (0.55, 1.0)
"""How far a toy's two colours keep apart; 0 would hide the pattern."""
CLUTTER = (3, 7)
"""Smallest and largest number of things behind the toy; more is harder."""
OCCLUDED_SHARE = 0.15
"""How often something is in front of the toy; more is harder."""
LIGHT = (0.75, 1.15)
"""Exposure; a wider range is harder."""
BLUR = 0.02
"""Largest radius of the lens blur, as a share of the shorter side; more hides patterns."""
NOISE = 11.0
"""Largest standard deviation of the sensor noise, in grey levels of 255; more is harder."""


# Pairs of RGB colours that toys wear; every class shares each pair with all others.
PALETTES = (
    ((214, 48, 49), (250, 241, 226)),
    ((36, 92, 190), (246, 205, 66)),
    ((28, 130, 84), (240, 240, 214)),
    ((238, 126, 34), (54, 46, 84)),
    ((134, 62, 156), (156, 222, 206)),
)
