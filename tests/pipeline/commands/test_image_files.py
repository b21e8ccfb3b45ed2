import numpy as np

from pipeline.commands.image_files import batches, image_files


def test_ten_thousand_files_are_read_a_batch_at_a_time(tmp_path):
    for index in range(10_000):
        (tmp_path / f"{index:05}.png").touch()
    files = image_files([tmp_path])
    assert [path.name for path in files] == [f"{index:05}.png" for index in range(10_000)]
    sizes = [
        (len(read), images.shape[0], len(bad))
        for read, images, bad in batches(files, lambda _: np.zeros((2, 2, 3)), batch_size=64, max_bytes=0)
    ]
    assert sizes == [(64, 64, 0)] * 156 + [(16, 16, 0)]


def test_files_too_large_are_not_read(tmp_path):
    (tmp_path / "a.png").write_bytes(b"12345")
    ((read, _, unreadable),) = batches([tmp_path / "a.png"], lambda _: 1 / 0, batch_size=4, max_bytes=4)
    assert read == []
    assert unreadable[0].reason == "too large a file (5 bytes, at most 4 are read)"
