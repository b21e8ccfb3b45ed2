import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf.errors import ConfigError
from components.sources.source import Listing, listed_source
from components.sources.subset import subset

NAMES = ("ant", "bee", "cat", "dog")


def source(counts=(5, 1, 7, 3), test=(2, 0, 1, 1)):
    listings = {}
    for split, of_split in (("train", counts), ("test", test)):
        labels = [label for label, count in enumerate(of_split) for _ in range(count)]
        keys = [f"{split}/{NAMES[label]}/{number}" for number, label in enumerate(labels)]
        listings[split] = Listing(keys, labels, lambda position, keys=keys: (keys[position].encode(), ""))
    return listed_source(NAMES, listings, where="here")


def read(found):
    return {split: list(found.read(split, np.arange(len(labels)))) for split, labels in found.labels.items()}


def test_nothing_chosen_is_the_whole():
    whole = source()
    part = subset(whole, classes=None, images_per_class=None)
    assert (part.class_names, read(part)) == (whole.class_names, read(whole))


def test_named_classes_keep_their_order_and_are_counted_anew():
    part = subset(source(), classes=("dog", "ant"), images_per_class=None)
    assert part.class_names == ("ant", "dog")
    for split, images in read(part).items():
        assert [part.class_names[raw.label] for raw in images] == [raw.key.split("/")[1] for raw in images]
        assert part.labels[split].tolist() == [raw.label for raw in images]
    assert {split: len(images) for split, images in read(part).items()} == {"train": 8, "test": 3}


def test_so_many_of_the_first_classes():
    assert subset(source(), classes=3, images_per_class=None).class_names == ("ant", "bee", "cat")


@given(st.lists(st.integers(1, 9), min_size=4, max_size=4), st.integers(1, 10))
def test_a_larger_part_holds_the_smaller_one_in_the_same_order(counts, number):
    small, large = (subset(source(counts), classes=None, images_per_class=n) for n in (number, number + 1))
    keys = [[raw.key for raw in read(part)["train"]] for part in (small, large)]
    assert [key for key in keys[1] if key in set(keys[0])] == keys[0]
    assert np.bincount(small.labels["train"], minlength=4).tolist() == [min(number, count) for count in counts]


def test_an_emptied_split_is_gone():
    assert list(subset(source(test=(2, 0, 0, 0)), classes=("cat", "dog"), images_per_class=1).labels) == ["train"]


@pytest.mark.parametrize(
    ("classes", "match"),
    [
        (("ant", "bat"), r"subset\.classes: expected two or more of ant, bee, cat, dog; got no class 'bat'"),
        (("ant", "ant"), "got 1 class"),
        (1, "expected 2 to 4, got 1"),
        (5, "expected 2 to 4, got 5"),
    ],
)
def test_classes_that_are_not_there_are_named(classes, match):
    with pytest.raises(ConfigError, match=match):
        subset(source(), classes=classes, images_per_class=None)
