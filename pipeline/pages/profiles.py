# ruff: noqa: E501  (rows of Markdown tables are one line)
"""Renders docs/profiles.md from the profiles themselves: `make docs`."""

from alexnet_tf.profiles import PROFILES
from alexnet_tf.text_tables import markdown_table

_HEAD = """# Profiles of `faithful`

Rendered by `make docs`; a test compares.

`variants.faithful.profile` selects a profile. Switches in `params.yaml` with the value `profile` follow it; all others do not.
`original` is what the released 2012 code did, which produced the published errors. `paper` is the text, taken literally.
`caffe` is the widely used `bvlc_alexnet`.
"""
_REST = """
## Departures that remain

From the 2012 code, in `original`:

| the 2012 code | here | why |
| --- | --- | --- |
| a 5 x 5 same-map normalization after LRN2 (cnorm2) | none; `same_map_normalization: true` has it | no effect in the 2012 logs: 40.49 % top-1 error without it and LRN2, 40.53 % with both |
| the same order of images every epoch | a new permutation every epoch | a function of the seed and the epoch; the paper does not say |
| conv1's rate lowered again at epoch 68 of 93, conv1 frozen at 72 | frozen at 0.77 of the training | four epochs at a thousandth of the first rate |
| the biases' rate scheduled apart: lowered once in the 2010 run, never in the 2012 run | always twice the weights' rate | lowered by hand; no rule to follow |
| training stopped and rates lowered by hand, following the validation error | at fixed shares of the training | runs of any length; `schedule.name: plateau` follows the error |
| images resized with an unnamed filter, stored as JPEG | Pillow's antialiased bilinear filter, raw pixels (or `preprocess.encoding: jpeg`) | no second loss |
| the weights of an ensemble tuned on the validation set | `alexnet results average`: the plain mean of several seeds | nothing to tune |

From the text, in `paper`:

| §  | the text | here | why |
| --- | --- | --- | --- |
| 2 | the mean activity is subtracted from each pixel | the centre crop of the mean image, wherever the crop is | as the 2012 code |
| 3.3 | N, the number of kernels in the layer | the window stops at the end of a tower | as the 2012 code; `lrn_scope: layer` crosses |
| 4.1 | λ of the covariance, unit unnamed | of pixels from 0 to 1 | on 0..255 λ is 255² times as large, and the noise 255 times, relative to the pixels |
| 5 | the rate divided by hand | after `patience_epochs` without a better validation error | a rule is reproducible |
| 5 | trained on all 1.2 million training images; the rate follows the error of the validation images | in every profile, a part of `train` is held out for that (`download.validation_share`: a hundredth in imagenet2012.yaml), and ILSVRC's `val` is the test split | test images decide nothing in the training |

From `bvlc_alexnet`, in `caffe`:

| `bvlc_alexnet` | here | why |
| --- | --- | --- |
| crops of 227 pixels | of 224, padded to 227 with zeros | `input.crop_size: 227` is Caffe's |
| batches of 256 | `global_batch_size` | set it to 256 |
| the mean image aligned with the crop; BGR | its centre crop; RGB | as in the other profiles |

In the sample run, the learning rate is a little below the 0.0025 that its batch of 32 would get in proportion, and drops once: it has
148 steps, not 840,000. Its batch, and that of `my_images`, has as many images as a chunk, all of which would get one crop; so both have
`crops_per: image`.
"""


def render() -> str:
    """Return the page."""
    names = list(PROFILES)
    lines = [["switch", *(f"`{name}`" for name in names)]]
    for path in PROFILES[names[0]]:
        lines.append(
            [f"`{path}`", *(f"{PROFILES[name][path].value} ({PROFILES[name][path].source})" for name in names)]
        )
    return f"{_HEAD}\n{markdown_table(lines)}\n{_REST}"
