from alexnet_tf.errors import some


def test_of_many_names_the_first_and_how_many_more():
    names = [f"image {index}" for index in range(1_004)]
    assert some(names) == "image 0, image 1, image 2 and 1,001 more"
    assert some(names[:3]) == "image 0, image 1, image 2"
    assert some(names[:2], 1) == "image 0 and 1 more"
    assert some([]) == ""
