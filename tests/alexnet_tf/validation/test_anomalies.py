from alexnet_tf.validation.anomalies import Limits, find_anomalies
from alexnet_tf.validation.survey import load_surveys, save_columns, survey_images
from tests.components.small_dataset import jpeg

LIMITS = Limits(
    max_corrupt_share=0.1, max_class_imbalance=3.0, allow_split_leakage=False, near_copy_bits=None,
    allow_near_leakage=False, min_side_px=8, max_aspect=4.0,
)  # fmt: skip


def survey(folder, *keys):
    """A split of one image by these keys, as a shard leaves it."""
    columns = survey_images(
        ((0, {"image": jpeg(1), "label": 0, "key": key.encode()}) for key in keys), max_pixels=10**6
    )
    save_columns(folder / "columns.npz", columns)
    return load_surveys([folder / "columns.npz"])


def found(surveys):
    return [
        (each.name, each.severity, each.description)
        for each in find_anomalies(surveys, class_names=["tench"], limits=LIMITS)
    ]


def test_a_key_of_several_images_is_named_once_however_many_they_are(tmp_path):
    surveys = {"train": survey(tmp_path, "b", "a", "c", "a"), "test": survey(tmp_path, "a", "ü", "b")}
    assert found(surveys) == [("repeated_keys", "ERROR", "2 keys name more than one image: a, b.")]
    assert found({"train": survey(tmp_path, "a", "b"), "test": survey(tmp_path, "c")}) == []
