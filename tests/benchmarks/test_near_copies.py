import numpy as np
from click.testing import CliRunner
from PIL import Image

from alexnet_tf.validation.near_duplicates import BITS
from benchmarks import near_copies, results


def test_images_are_taken_evenly_and_no_more_than_asked_for(tmp_path, monkeypatch):
    for number in range(5):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    asked, opened = [], []
    took = {"found": 0, "seconds": 0.0, "mib": 0.0}
    monkeypatch.setattr(results, "in_own_process", lambda *arguments: asked.append(arguments) or took)
    monkeypatch.setattr(near_copies, "opened", lambda path: opened.append(path.stem) or Image.open(path))
    found = CliRunner().invoke(near_copies.main, [str(tmp_path), "--images", "3"])
    assert found.exit_code == 0, found.output
    assert opened == ["0", "1", "3"]
    assert "no copies,ours,4,3,,3," in found.output  # three pairs, all of equal hashes
    assert asked[0] == ("benchmarks.near_copies", "search", 10_000, 4)


def test_near_pairs_are_counted_by_images_as_when_all_are_compared():
    generator = np.random.default_rng(0)
    few = generator.integers(0, 2**BITS, 6, np.uint64)
    hashes = np.concatenate([few, few[:4], few[:1], few[:3] ^ np.uint64(1 << 63), few[:2] ^ np.uint64(0b11111)])
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None])
    for bits in (1, 4, 5):
        assert near_copies.num_near_pairs(hashes, bits) == np.triu(apart <= bits, 1).sum()
    assert near_copies.num_near_pairs(np.arange(0), 4) == 0


def test_as_many_bits_are_flipped_in_planted_copies_as_are_asked_for(monkeypatch):
    compared = []
    monkeypatch.setattr(near_copies, "near_pairs", lambda hashes, bits: compared.append(hashes) or [])
    near_copies.search(5000, 4)
    hashes = set(compared[0].tolist())
    assert len(hashes) == 5050
    originals = np.unique(np.random.default_rng(0).integers(0, 2**BITS, 5000, np.uint64))
    planted = np.array(sorted(hashes - set(originals.tolist())), np.uint64)
    nearest = np.bitwise_count(planted[:, None] ^ originals[None, ::100]).min(axis=1)
    assert (nearest == 4).all()
