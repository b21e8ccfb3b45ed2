"""Averages of kept results: what stands in the table, that it is the models' own, and what cannot be averaged."""

import hashlib
import json

import pytest
from click.testing import CliRunner
from made_results import made, write

from alexnet_tf.errors import AlexNetError, ConfigError, DataError
from pipeline.cli import alexnet
from pipeline.environment.workspace import Workspace
from pipeline.pages.result_tables import rendered
from pipeline.results import ensembles
from pipeline.results.ensembles import averages_table


def result(seed, model="a.dir", dataset="d.dir", **named):
    outs = {"dvc.out.data/dataset": dataset, "dvc.out.data/records/native": "r.dir", "dvc.out.models/optimized": model}
    params = {"images": "native", "evaluation.batch_size": "4"}
    named = {"experiment": "cifar10", "test": {"test/ten_crop/top1_error": 0.1}} | named
    return made(named.pop("experiment"), "optimized", seed, outs=outs, **params, **named)


def into_cache(root, folder):
    """Keep a folder as DVC does; return its hash."""

    def put(content, end=""):
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest() + end
        path = root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return digest

    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = [{"md5": put(path.read_bytes()), "relpath": path.relative_to(folder).as_posix()} for path in paths]
    return put(json.dumps(listed).encode(), ".dir")


@pytest.fixture
def two_seeds(tmp_path, monkeypatch):
    """Two results whose models and records are in DVC's cache of tmp_path, and what each of them says alone."""
    from alexnet_tf.data import record_dataset
    from alexnet_tf.devices.strategy import make_strategy
    from alexnet_tf.evaluation.evaluate import evaluate
    from alexnet_tf.models.classifier import write_classifier
    from tests.alexnet_tf.small_networks import CLASSES, classifier_of_six
    from tests.alexnet_tf.small_training import MemorySplit, images

    split = MemorySplit(images(30, 16), 48, CLASSES)

    def opened(folder, name):
        assert (name, (folder / "manifest.json").read_text()) == ("test", "{}")
        return split

    monkeypatch.setattr(record_dataset.RecordDataset, "open", opened)
    (tmp_path / "records").mkdir()
    (tmp_path / "records/manifest.json").write_text("{}")
    records = into_cache(tmp_path, tmp_path / "records")
    kept, alone = [], []
    for seed in (1, 2):
        classifier = classifier_of_six(faithful=False, seed=seed)
        evaluated = evaluate(classifier, split, batch_size=4, strategy=make_strategy([]), advance=lambda _: None)
        alone.append(evaluated.predictions["ten_crop"])
        write_classifier(tmp_path / f"model{seed}", classifier)
        claimed = {"test/ten_crop/top1_error": alone[-1].error(1)}
        kept.append(result(seed, into_cache(tmp_path, tmp_path / f"model{seed}"), test=claimed))
        kept[-1].row["standing"][0]["outs"]["dvc.out.data/records/native"] = records
    write(tmp_path, *kept)
    return kept, alone


def test_the_models_of_two_seeds_are_scored_one_by_one_and_together(tmp_path, two_seeds):
    kept, alone = two_seeds
    path = ensembles.keep(Workspace(root=tmp_path, home=tmp_path), kept[::-1])
    content = json.loads(path.read_text())
    assert path.parent == tmp_path / "results/cifar10/averages"
    assert content["results"] == [each.path for each in kept]
    assert content["num_examples"] == 30
    assert content["each"] == [predictions.metrics() for predictions in alone]
    assert content["together"]["mean_loss"] < sum(each["mean_loss"] for each in content["each"]) / 2  # Jensen
    assert list((tmp_path / ".alexnet/averages").iterdir()) == []
    assert "| 2 averaged |" in averages_table(tmp_path, "cifar10")


def test_a_model_that_errs_otherwise_than_its_result_says_is_one_sentence(tmp_path, two_seeds):
    kept, alone = two_seeds
    kept[1].row["standing"][1]["metrics"]["test/ten_crop/top1_error"] = alone[1].error(1) + 0.001
    with pytest.raises(AlexNetError, match=r"seed2-.* claims a ten-crop error of 0\..*, found .* not recorded$"):
        ensembles.keep(Workspace(root=tmp_path, home=tmp_path), kept)
    assert not (tmp_path / "results/cifar10/averages").exists()


def test_the_table_has_one_network_and_all_together_by_hand(tmp_path):
    kept = [result(1), result(2)]
    write(tmp_path, *kept)
    folder = tmp_path / "results/cifar10/averages"
    folder.mkdir()
    together = errors(0.06, 0.055, 0.065) | {"top5_error": 0.002, "top5_error_low": 0.001, "top5_error_high": 0.003}
    each = [errors(0.07, 0.06, 0.08) | {"top5_error": 0.003}, errors(0.08, 0.07, 0.09) | {"top5_error": 0.003}]
    write_averages(folder / "optimized-12345678.json", kept, each, together)
    assert rendered(tmp_path, "<!-- results: averages cifar10 -->\n<!-- end -->").splitlines()[3:-1] == [
        "| `optimized` |  | 1, 2 | float32 | one (mean) | 7.50 ± 0.71 % | 0.30 ± 0.00 % |",
        "| `optimized` |  | 1, 2 | float32 | 2 averaged | 6.00 % (5.50 to 6.50) | 0.20 % (0.10 to 0.30) |",
        "",
        "```bash",
        "alexnet results average \\",
        f"  {kept[0].path} \\",
        f"  {kept[1].path}",
        "```",
    ]


def test_with_fewer_than_five_classes_there_is_no_top_5_error(tmp_path):
    kept = [result(1), result(2)]
    write(tmp_path, *kept)
    (tmp_path / "results/cifar10/averages").mkdir()
    same = errors(0.06, 0.055, 0.065)
    write_averages(tmp_path / "results/cifar10/averages/optimized-12345678.json", kept, [same, same], same)
    one, together = averages_table(tmp_path, "cifar10").splitlines()[2:4]
    assert one.endswith("| 6.00 ± 0.00 % |  |")
    assert together.endswith("| 6.00 % (5.50 to 6.50) |  |")


def errors(top1, low, high):
    return {"mean_loss": 1.0, "top1_error": top1, "top1_error_low": low, "top1_error_high": high}


def write_averages(path, kept, each, together):
    content = {"results": [result.path for result in kept], "each": each, "together": together}
    path.write_text(json.dumps(content | {"num_examples": 100, "machine": {}}))


@pytest.mark.parametrize(
    ("results", "found"),
    [
        ([result(1)], "1 with 1 sets of parameters, precision or repeated seeds and 1 data sets"),
        (
            [result(1), result(2, epochs="9")],
            "2 with 2 sets of parameters, precision or repeated seeds and 1 data sets",
        ),
        (
            [result(1), result(2, dataset="e.dir")],
            "2 with 1 sets of parameters, precision or repeated seeds and 2 data sets",
        ),
        (
            [result(1), result(2, experiment="sample")],
            "2 with 1 sets of parameters, precision or repeated seeds and 2 data sets",
        ),
    ],
)
def test_what_does_not_belong_together_is_one_sentence(tmp_path, results, found):
    with pytest.raises(ConfigError, match=f"only in their seed, found {found}; leave the others out$"):
        ensembles.keep(Workspace(root=tmp_path, home=tmp_path), results)


def test_a_model_that_is_not_in_the_cache_is_one_sentence_and_leaves_nothing(tmp_path):
    with pytest.raises(AlexNetError, match=r"records/native of results/cifar10/.* this commit: git checkout COMMIT"):
        ensembles.keep(Workspace(root=tmp_path, home=tmp_path), [result(1), result(2)])
    assert list((tmp_path / ".alexnet/averages").iterdir()) == []
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("content", ["", "{}", '{"results": [], "each": [], "together": {}, "num_examples": 1}'])
def test_files_that_are_no_averages_are_one_sentence(tmp_path, content):
    with pytest.raises(AlexNetError, match=r"holds no averages; run `alexnet results average RESULT"):
        averages_table(tmp_path, "cifar10")
    (tmp_path / "results/cifar10/averages").mkdir(parents=True)
    (tmp_path / "results/cifar10/averages/optimized.json").write_text(content)
    with pytest.raises(DataError, match=r"^results/cifar10/averages/optimized\.json: .*; correct it there$"):
        averages_table(tmp_path, "cifar10")


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["nosuch.json"], 1)])
def test_no_result_is_told(arguments, code):
    answer = CliRunner().invoke(alexnet, ["results", "average", *arguments])
    assert answer.exit_code == code
    assert ("nosuch.json: cannot be read" if arguments else "Missing argument") in answer.stderr
