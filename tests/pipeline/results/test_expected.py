"""Whether a run came out as expected: made runs beside made claims."""

import json
import subprocess

import pytest
from made_results import made, write

from alexnet_tf.devices.processor import usable_cores
from alexnet_tf.errors import DataError
from alexnet_tf.metrics.significance import wilson_interval
from pipeline.config.load import load
from pipeline.environment.provenance import processor
from pipeline.environment.yaml_file import read
from pipeline.results import expected
from pipeline.results.expected import outcome
from pipeline.stages import dvc_cache
from pipeline.stages.dvc_lock import dvc_md5
from pipeline.stages.table import all_items
from pipeline.tracking.run_descriptions import row_params
from tests.commits import commit_all

NUM = 200
COMMITTED = {"faithful": 0.41, "optimized": 0.08}


class Run:
    """A repository in which a run is claimed, and what lies there is as that run left it.

    Args:
        workspace: Of stub stages.
    """

    def __init__(self, workspace):
        self.workspace, self.root = workspace, workspace.root
        (self.root / "experiments").mkdir()
        (self.root / "experiments/stub.yaml").write_text((self.root / "params.yaml").read_text())
        self.came_out(COMMITTED, name="committed")
        self.commit()

    def git(self, *arguments):
        settings = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
        subprocess.run(["git", *settings, *arguments], cwd=self.root, check=True)

    def commit(self):
        ignored = [item.outputs().values() for item in all_items(self.config.values)]
        names = [f"/{path}" for paths in ignored for path in paths if path != "metrics.json"]
        (self.root / ".gitignore").write_text("\n".join(names))
        commit_all(self.root)

    @property
    def config(self):
        return load(self.root)

    def came_out(self, errors, *, name="here"):
        """Leave what a `dvc repro` with these ten-crop errors does, its other outputs holding a name."""
        self.errors = errors
        for item in all_items(self.config.values):
            for path in item.outputs().values():
                (self.root / path).parent.mkdir(parents=True, exist_ok=True)
                (self.root / path).write_text(name)
        views = {variant: self.views(error) for variant, error in errors.items()}
        metrics = {variant: {"train": {}, "evaluate": {"num_examples": NUM} | each} for variant, each in views.items()}
        (self.root / "metrics.json").write_text(json.dumps(metrics))
        self.lock()

    def views(self, error):
        return {"ten_crop": {"top1_error": error}, "center": {"top1_error": error + 0.01}}

    def lock(self):
        written, stages = read(self.root / "params.yaml"), {}
        for item in all_items(self.config.values):
            params = {}
            for key in item.params().values():
                value = written
                for part in key.split("."):
                    value = value[part]
                params[key] = value
            outs = [{"path": path, "md5": dvc_md5(self.root / path)} for path in item.outputs().values()]
            stages[item.address] = {"params": {"params.yaml": params}, "outs": outs}
        (self.root / "dvc.lock").write_text(json.dumps({"stages": stages}))

    def kept(self, variant, error, *, seed=1, cpu=None, cores="2", outs=None, lacks="seed", **params):
        test = {f"test/{view}/top1_error": each["top1_error"] for view, each in self.views(error).items()}
        own = row_params(self.config.values, variant) | params
        own = {name: word for name, word in own.items() if name not in ("seed", lacks)}
        result = made("stub", variant, seed, test=test, **own)
        del result.row["params"]["training.precision"]  # which the stubs lack
        result.row["standing"][1]["outs"] = outs or {}
        result.row["tags"].update({"host.cpus": cores} | ({"host.cpu": cpu} if cpu else {}))
        write(self.root, result)

    def outcome(self):
        views = {variant: self.views(error) for variant, error in self.errors.items()}
        errors = {
            variant: {view: {"top1_error": {"value": each["top1_error"]}} for view, each in of.items()}
            for variant, of in views.items()
        }
        comparison = {"variants": list(self.errors), "num_examples": NUM, "errors": errors}
        return outcome(self.workspace, self.config, comparison)


@pytest.fixture
def run(workspace, monkeypatch):
    monkeypatch.setattr(dvc_cache, "_folder", lambda root: root / ".dvc/cache")  # no process asks DVC
    return Run(workspace)


@pytest.mark.parametrize(
    ("errors", "verdict", "words"),
    [
        (COMMITTED, "as expected", "the errors are those of the committed run, but the bytes of data/dataset,"),
        ({"faithful": 0.47, "optimized": 0.12}, "as expected", "every top-1 error is within the range"),
        ({"faithful": 0.35, "optimized": 0.06}, "as expected", "every top-1 error is within the range"),
        (
            {"faithful": 0.41, "optimized": 0.30},
            "not as expected",
            "optimized has a top-1 error of 30.0 % (ten crops), expected 4.1 to 15.0 %, optimized has",
        ),
        (
            {"faithful": 0.10, "optimized": 0.08},
            "not as expected",
            "faithful has a top-1 error of 10.0 % (ten crops)",
        ),
    ],
)
def test_other_bytes_are_judged_by_their_errors(run, errors, verdict, words):
    run.came_out(errors)
    found = run.outcome()
    assert found.verdict == verdict
    assert found.sentence.startswith(f"{verdict}: ")
    assert words in found.sentence
    assert found.lines()[-1] == found.sentence
    assert found.tree.startswith(
        "dvc.lock and metrics.json now describe this run" if errors != COMMITTED else "dvc.lock n"
    )


def test_the_same_bytes_are_told_and_leave_the_tree_clean(run):
    run.came_out(COMMITTED, name="committed")
    found = run.outcome()
    assert found.verdict == "bit-identical"
    assert "all 17 outputs have the hashes of HEAD's dvc.lock" in found.sentence
    assert found.tree == ""
    run.came_out({"faithful": 0.9, "optimized": 0.9}, name="committed")  # only metrics.json has other bytes
    assert run.outcome().verdict == "not as expected"


def test_the_range_spans_the_intervals_of_all_runs_of_the_parameters(run):
    run.kept("faithful", 0.51, cpu="An old one")
    run.kept("faithful", 0.55, seed=2, cores="4")
    run.kept("faithful", 0.05, seed=3, **{"training.epochs": "1"})  # another training
    run.kept("optimized", 0.05, **{"gate.max_top1_error": "0.1", "validate.min_side_px": "1"})  # decides no error
    run.came_out({"faithful": 0.60, "optimized": 0.03})
    found = run.outcome()
    assert found.verdict == "as expected"
    ranges = {(each.variant, each.view): (each.low, each.high) for each in found.errors}
    low, high = (wilson_interval(error, NUM // 2, confidence=0.95) for error in (0.41, 0.55))
    assert ranges["faithful", "ten_crop"] == (low[0], high[1])
    assert [each.others for each in found.errors if each.view == "ten_crop"] == [[0.51, 0.55], [0.05]]
    text = "\n".join(found.lines())
    assert "faithful, ten crops     60.0 %  41.0 %     51.0 to 55.0 %  31.9 to 64.4 %" in text
    machines = "2 cores of An old one; 2 cores of a processor that was not recorded; 4 cores of a processor"
    assert f"other runs:   {machines} that was not recorded" in text
    assert f"here:         {usable_cores()} cores of {processor()}" in text


@pytest.mark.parametrize("quality", [95, 90])
def test_what_a_kept_run_lacks_is_as_it_was_in_force_before_and_otherwise_unequal(run, quality):
    text = (run.root / "params.yaml").read_text()
    assert "jpeg_quality: 95" in text
    (run.root / "params.yaml").write_text(text.replace("jpeg_quality: 95", f"jpeg_quality: {quality}"))
    run.kept("faithful", 0.51, lacks="preprocess.jpeg_quality", **{"preprocess.max_rejected_share": "0.1"})
    run.kept("faithful", 0.52, seed=2, lacks="training.epochs")  # nothing tells how many it had
    run.came_out({"faithful": 0.50, "optimized": 0.08})
    assert run.outcome().errors[0].others == ([0.51] if quality == 95 else [])


def test_a_kept_run_on_other_images_does_not_widen_the_range(run):
    before = run.outcome().errors[0].high
    run.kept("faithful", 0.9, outs={"dvc.out.data/dataset": "of another seed"})
    assert run.outcome().errors[0].high == before
    run.kept("faithful", 0.9, seed=2)
    assert run.outcome().errors[0].high > before


def test_the_kept_result_of_the_committed_run_names_its_processor_and_counts_once(run):
    lock = json.loads((run.root / "dvc.lock").read_text())
    (out,) = lock["stages"]["evaluate@faithful"]["outs"]
    run.kept("faithful", 0.41, cpu="The one", outs={f"dvc.out.{out['path']}": out["md5"]})
    run.came_out({"faithful": 0.42, "optimized": 0.08})
    found = run.outcome()
    assert found.committed_on == "2 cores of The one"
    assert found.others_on == ()
    assert found.errors[0].others == []


def test_this_machine_is_named_with_its_gpus_as_the_others_are(run, monkeypatch):
    here = {"host.cpus": "8", "host.cpu": "EPYC", "host.gpus": "H200"}
    monkeypatch.setattr(expected, "this_machine", lambda root: here)
    run.kept("faithful", 0.41, cpu="EPYC")
    found = run.outcome()
    assert found.machine == "8 cores of EPYC, H200"
    assert "here:         8 cores of EPYC, H200" in found.lines()


def test_edited_parameters_are_compared_with_kept_runs_of_them_or_not_at_all(run):
    text = (run.root / "params.yaml").read_text()
    (run.root / "params.yaml").write_text(text.replace("epochs: 30", "epochs: 31"))
    run.came_out({"faithful": 0.41, "optimized": 0.5})
    found = run.outcome()
    assert found.verdict == "as expected"
    assert "; no committed run to compare optimized with" in found.sentence
    assert [each.low is None for each in found.errors] == [False, False, True, True]
    run.kept("optimized", 0.1)
    found = run.outcome()
    assert found.verdict == "not as expected"
    assert "optimized has a top-1 error of 50.0 %" in found.sentence
    (run.root / "params.yaml").write_text(text.replace("seed: 2012", "seed: 2013"))
    run.came_out({"faithful": 0.9, "optimized": 0.9})
    found = run.outcome()
    assert found.verdict == "nothing to compare with"
    assert found.sentence.startswith("no committed run to compare faithful and optimized with")
    assert found.sentence.endswith("; a commit of dvc.lock and metrics.json makes this run one")
    assert found.lines() == [found.tree, found.sentence]


def test_an_experiment_without_a_commit_is_compared_with_nothing(run):
    (run.root / ".git").rename(run.root / "git")
    found = run.outcome()
    assert found.verdict == "nothing to compare with"
    way_out = "there is no Git repository; `git init`, `alexnet setup` and a commit make this run one"
    assert found.sentence.endswith(way_out)


def test_without_a_committed_file_of_metrics_kept_results_speak(run):
    run.git("rm", "-q", "--cached", "metrics.json")
    run.git("commit", "-qm", "no metrics")
    run.came_out({"faithful": 0.5, "optimized": 0.5})
    assert run.outcome().verdict == "nothing to compare with"
    run.kept("faithful", 0.49)
    found = run.outcome()
    assert found.verdict == "as expected"
    assert found.errors[0].committed is None
    assert found.tree.startswith("dvc.lock now describes this run instead of the committed one. `git restore dvc.lock`")


def test_committed_metrics_of_another_run_than_the_committed_lock_are_not_believed(run):
    run.came_out({"faithful": 0.1, "optimized": 0.1})
    run.git("commit", "-qm", "one of the two", "metrics.json")
    found = run.outcome()
    assert found.verdict == "nothing to compare with"
    assert [each.committed for each in found.errors] == [None] * 4


def test_a_stage_that_is_out_of_date_is_named(run):
    (run.root / "models/optimized").write_text("edited")
    found = run.outcome()
    assert found.verdict == "out of date"
    assert "train@optimized is out of date; run `dvc repro` first" in found.sentence


def test_an_export_that_is_out_of_date_leaves_the_errors_comparable(run):
    (run.root / "exports/optimized").write_text("as `alexnet promote` leaves it behind")
    assert run.outcome().verdict != "out of date"


def test_edited_code_is_named_where_the_errors_are_wrong(run):
    run.came_out({"faithful": 0.9, "optimized": 0.08})
    assert "`alexnet doctor` checks this environment" in run.outcome().sentence
    (run.root / "alexnet_tf/errors.py").write_text("# edited")
    assert "alexnet_tf/errors.py differs from HEAD; `git stash -u`" in run.outcome().sentence


def test_the_way_back_of_the_tree_works(run):
    run.came_out({"faithful": 0.42, "optimized": 0.08})
    command = run.outcome().tree.split("`")[1]
    assert command == "git restore dvc.lock metrics.json"
    subprocess.run(command.split(), cwd=run.root, check=True)
    changed = subprocess.run(["git", "diff", "--name-only"], cwd=run.root, capture_output=True, text=True, check=True)
    assert changed.stdout == ""


def test_a_changed_params_file_and_the_outputs_are_part_of_the_way_back(run):
    claimed = read(run.root / "dvc.lock")["stages"]
    (run.root / "params.yaml").write_text((run.root / "params.yaml").read_text().replace("seed: 2012", "seed: 7"))
    run.came_out({"faithful": 0.42, "optimized": 0.08})
    files = "params.yaml dvc.lock metrics.json"
    told = run.outcome().tree
    assert "instead of the committed one, and params.yaml differs, too. `git restore " in told
    assert f"`git restore {files}` restores the committed files (DVC's cache lacks the outputs)" in told
    for digest in (out["md5"] for stage in claimed.values() for out in stage["outs"]):
        cached = run.root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.touch()
    told = run.outcome().tree
    assert (
        f"`git restore {files}` and then `dvc checkout --force` restore the committed one; `git commit {files}`" in told
    )


def test_a_broken_claim_or_result_is_one_sentence(run):
    run.kept("faithful", 0.4)
    (path,) = (run.root / "results/stub").glob("*.json")
    path.write_text("{}")
    run.came_out({"faithful": 0.42, "optimized": 0.08})
    with pytest.raises(DataError, match="expected a result"):
        run.outcome()
    path.unlink()
    (run.root / "metrics.json").write_text("[")
    run.lock()
    run.commit()
    run.came_out({"faithful": 0.42, "optimized": 0.08})
    with pytest.raises(DataError, match=r"metrics\.json of HEAD: expected what `alexnet compare` writes"):
        run.outcome()
