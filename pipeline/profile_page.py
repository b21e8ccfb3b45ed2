# ruff: noqa: E501  (rows of Markdown tables are one line)
"""Renders docs/profiles.md from the profiles themselves: `python -m pipeline.profile_page > docs/profiles.md`."""

from alexnet_tf.profiles import PROFILES

_HEAD = """# Profiles of `faithful`

Rendered by `python -m pipeline.profile_page > docs/profiles.md`; a test compares.

`variants.faithful.profile` chooses one; every switch in `params.yaml` that says `profile` follows it, and one that is
written out does not. `original` is what the released 2012 code did and so what produced the published errors, `paper`
is the text taken literally, `caffe` is the widely used `bvlc_alexnet`.
"""

_REST = """
## Departures that remain in every profile

| the 2012 code | here | why |
| --- | --- | --- |
| images in the same order every epoch | a new permutation every epoch | a function of the seed and the epoch; the paper does not say |
| 33 x 33 offsets and a flip for each chunk of 32 images | for each image (§4.1) | `crops_per: chunk` gives the code's way |
| LRN of layer 1 before its ReLU | after (§3.3) | `lrn_order: before_relu` gives the code's way |
| a same-map normalization after LRN2 | none (§3.3) | `same_map_normalization: true` gives the code's way |
| rates lowered by hand at epochs 23, 51 and 78 of 93, conv1 once more at 68 | `drop_at`: shares of the training; conv1 frozen at 0.77 | runs of any length |
| images resized by an unnamed filter, stored as JPEG | Pillow's antialiased bilinear, stored as raw pixels | nothing lost twice |

The sample run scales the learning rate to its batch of 32 and drops it once: it has 148 steps, not 840,000.
"""


def render() -> str:
    """Return the page."""
    names = list(PROFILES)
    lines = [
        _HEAD,
        f"| switch | {' | '.join(f'`{name}`' for name in names)} |",
        "| --- |" + " --- |" * len(names),
    ]
    for path in PROFILES[names[0]]:
        cells = (f"{PROFILES[name][path].value} ({PROFILES[name][path].source})" for name in names)
        lines.append(f"| `{path}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n" + _REST


if __name__ == "__main__":
    print(render(), end="")
