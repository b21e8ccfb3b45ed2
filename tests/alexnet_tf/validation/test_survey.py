import io

import numpy as np
from PIL import Image

from alexnet_tf.validation.survey import load_surveys, save_columns, survey_images
from tests.components.small_dataset import jpeg

BROKEN = b"no image"
SHARDS = [
    [],
    [{"image": jpeg(1, width=40), "label": 2, "key": b"a"}, {"image": BROKEN, "label": 0, "key": "ü\n".encode()}],
    [],
    [{"image": jpeg(2, width=50, format="PNG"), "label": 1, "key": b"a longer key than is kept in place"}],
]


def test_shards_are_put_together_in_their_order(tmp_path):
    for number, examples in enumerate(SHARDS):
        save_columns(tmp_path / f"{number}.npz", survey_images(enumerate(examples), max_pixels=10**6))
    survey = load_surveys(tmp_path / f"{number}.npz" for number in range(len(SHARDS)))
    assert survey.keys.tolist() == ["a", "ü\n", "a longer key than is kept in place"]
    assert survey.labels.tolist() == [2, 0, 1]
    assert survey.shards.tolist() == [1, 1, 3]
    assert survey.offsets.tolist() == [0, 1, 0]
    assert survey.widths.tolist() == [40, 0, 50]
    assert survey.formats.tolist() == ["JPEG", "", "PNG"]
    assert survey.num_bytes.tolist() == [len(example["image"]) for examples in SHARDS for example in examples]
    assert survey.reasons == ["", "no known image format", ""]
    np.testing.assert_array_equal(survey.decodable, [True, False, True])


def test_images_are_hashed_as_stored_whatever_their_exif_orientation():
    examples = [{"image": jpeg(1, orientation=value), "label": 0, "key": b"a"} for value in range(9)]
    columns = survey_images(enumerate(examples), max_pixels=10**6)
    assert columns["orientations"] == list(range(9))
    assert len(set(columns["hashes"])) == 1


def test_a_photograph_with_a_second_picture_is_a_jpeg():
    """Phones append one, and Pillow then calls the file MPO."""
    file = io.BytesIO()
    first, second = (Image.open(io.BytesIO(jpeg(number))) for number in (1, 2))
    first.save(file, "MPO", save_all=True, append_images=[second])
    assert Image.open(io.BytesIO(file.getvalue())).format == "MPO"
    columns = survey_images([(0, {"image": file.getvalue(), "label": 0, "key": b"photo.jpg"})], max_pixels=10**6)
    assert columns["formats"] == ["JPEG"]
    assert columns["reasons"] == [""]


def test_no_shards_are_no_images():
    survey = load_surveys([])
    assert (len(survey.keys), len(survey.digests), len(survey.reasons), len(survey.decodable)) == (0, 0, 0, 0)
