import pytest

from benchmarks import subjects


def test_the_arithmetic_of_a_step_by_hand():
    # Multiply-adds of §3.5 at 224 px: conv1 runs once forward and once for its kernels, the rest three times.
    conv1 = 55 * 55 * 96 * 11 * 11 * 3
    rest = 27 * 27 * 256 * 5 * 5 * 48 + 13 * 13 * 3 * 3 * (384 * 256 + 384 * 192 + 256 * 192)
    dense = 9216 * 4096 + 4096 * 4096 + 4096 * 1000
    assert subjects.flop_per_image() == (2 * (conv1 + rest + dense), 2 * (2 * conv1 + 3 * (rest + dense)))


def test_a_step_of_optimized_has_no_gradients_of_its_fixed_kernels():
    # Multiply-adds at 32 px: the 2 x 2 kernels of conv1 run forward alone, conv2 has no gradient of the maps before it.
    forward, step = subjects.flop_per_image("cifar10", "optimized")
    conv1, conv2 = 31 * 31 * 24 * 2 * 2 * 3, 31 * 31 * 64 * 3 * 3 * 24
    assert step == 3 * forward - 2 * (2 * conv1 + conv2)


def test_what_the_page_says_of_the_zeros_of_padding():
    def zeros(side, size, weights):
        # Along an axis, a window of k pixels at every position of n meets 1 + ... + (k - 1) / 2 zeros at either end.
        whole, ends = side * size, (size**2 - 1) // 4
        return weights * (whole**2 - (whole - ends) ** 2)

    # §3.5: conv1 has 3 zeros at one end of 224 pixels, and two passes instead of three.
    conv1 = 96 * 3 * ((55 * 11) ** 2 - (55 * 11 - 3) ** 2)
    rest = zeros(27, 5, 256 * 48) + zeros(13, 3, 384 * 256 + 384 * 192 + 256 * 192)
    forward, step = subjects.flop_per_image()
    assert round(2 * (2 * conv1 + 3 * rest) / step, 2) == 0.08
    assert 2 * (conv1 + rest) / forward == pytest.approx(0.075, abs=0.001)
    conv2, rest = zeros(31, 3, 24 * 64), zeros(15, 3, 64 * 256) + 2 * zeros(7, 3, 256 * 256)
    assert round(2 * (2 * conv2 + 3 * rest) / subjects.flop_per_image("cifar10", "optimized")[1], 2) == 0.14
