"""Real `dvc` over stub stages: whatever DVC runs, skips or throws away, the rows in MLflow are whole."""

import json
import shutil
import sys

import pytest
from dvc_repository import Repository
from store import put_empty_store

from pipeline.environment.yaml_file import read
from pipeline.stages.dvc_lock import dvc_md5, read_lock
from pipeline.tracking.backfill import with_files

STAGES = ("download", "validate", "preprocess", "statistics", "train", "evaluate", "compare", "export")
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Repository:
    made = Repository(tmp_path_factory.mktemp("holes"))
    made.first_run = made.run("dvc", "repro")
    made.commit()
    return made


def test_each_stage_tells_its_place_its_work_and_what_it_found_and_nothing_else(repository):
    written = {"download": "dataset", "preprocess": "records", "statistics": "statistics", "export": "export"}
    written |= {"validate": "report and verdict", "train": "model and report", "compare": "report and metrics"}
    ran = [line.split("'")[1] for line in repository.first_run.stdout.splitlines() if line.startswith("Running stage")]
    expected = []
    for number, address in enumerate(ran, start=1):
        found = f"{address}: stub wrote {written.get(address.partition('@')[0], 'report')}"
        expected += [f"{address} (stage {number} of 13)", "stub: 2/2 epochs, 0 s", found]
    told = repository.first_run.stderr.splitlines()
    assert [line for line in told if "report.html was not written" not in line] == expected  # stubs have no figures
    assert len(ran) == 13


def test_after_dvc_has_ended_every_row_has_every_stage_with_its_hashes(repository):
    rows = repository.rows()
    assert sorted(row["variant"] for row in rows) == ["faithful", "optimized"]
    hashes = read_lock(repository.root).hashes
    assert len(hashes) == 17
    for row in rows:
        assert row["tags"]["alexnet.complete"] == "true"
        assert row["status"] == "FINISHED"
        assert {run["experiment"] for run in (row, *row["runs"])} == {"alexnet/sample"}
        assert sorted(name.partition("@")[0] for name in row["below"]) == sorted(STAGES)
        for run in row["below"].values():
            tags = {key.partition("dvc.out."): word for key, word in run["tags"].items()}
            outs = {path: word for (_, found, path), word in tags.items() if found}
            assert outs, run["name"]
            assert outs.items() <= hashes.items()
    assert list((repository.root / ".alexnet/spool").iterdir()) == []


def test_every_run_says_what_it_was_made_from(repository):
    hashes = read_lock(repository.root).hashes
    locked = read(repository.root / "dvc.lock")["stages"]
    for row in repository.rows():
        for run in (row, *row["below"].values()):
            assert len(run["tags"]["mlflow.source.git.commit"]) == 40
            assert run["tags"]["git.dirty"] == "false"
            assert {"version.tensorflow", "version.dvc", "env.sha256", "host.cpus"} <= set(run["tags"])
        for name, run in row["below"].items():
            said = {key.removeprefix("dvc.dep."): word for key, word in run["tags"].items() if "dvc.dep." in key}
            deps = {each["path"]: each["md5"] for each in locked[name].get("deps", [])}
            assert said == {path: digest for path, digest in deps.items() if not path.endswith(".py")}, name
        train = row["below"][f"train@{row['variant']}"]
        assert train["tags"]["devices"]
        for run in (row, train):
            assert run["digests"]
            for name, digest in run["digests"].items():
                assert hashes["data/" + name.partition("/")[2]] == digest


def test_the_hash_of_an_output_is_the_one_that_dvc_computes(repository):
    for path, digest in read_lock(repository.root).hashes.items():
        assert dvc_md5(repository.root / path) == digest, path


def test_the_numbers_in_mlflow_are_those_that_dvc_shows(repository):
    rows = {row["variant"]: row for row in repository.rows()}
    shown = json.loads(repository.run("dvc", "metrics", "show", "--json").stdout)[""]["data"]
    for variant in ("faithful", "optimized"):
        data = shown["metrics.json"]["data"][variant]["evaluate"]
        assert data["center"]["top1_error"] == rows[variant]["metrics"]["test/center/top1_error"] == 0.25


def test_skipped_stages_are_linked_and_their_numbers_stand_on_the_row(repository):
    before = {row["id"]: row for row in repository.rows()}
    assert "Running stage" not in repository.run("dvc", "repro").stdout
    assert len(repository.rows()) == len(before), "a run that skipped everything changes nothing"
    repository.edit("learning_rate: 0.1,", "learning_rate: 0.2,")
    repository.run("dvc", "repro")
    new = {row["variant"]: row for row in repository.rows() if row["id"] not in before}
    assert sorted(new) == ["faithful", "optimized"]
    assert sorted(new["optimized"]["below"]) == [
        "compare", "evaluate@optimized", "export@optimized", "train@optimized",
    ]  # fmt: skip
    old = {row["variant"]: row for row in before.values()}
    for stage in ("download", "validate", "preprocess", "statistics", "train", "evaluate", "export"):
        made = next(run for name, run in old["faithful"]["below"].items() if name.partition("@")[0] == stage)
        linked = new["faithful"]["tags"][f"skipped.{stage}"]
        producers = [run["id"] for row in old.values() for name, run in row["below"].items() if name == made["name"]]
        assert linked in producers
    assert new["faithful"]["points"]["train/loss"] == old["faithful"]["points"]["train/loss"] == [(1, 2.0), (2, 1.0)]
    for row in new.values():
        assert row["tags"]["alexnet.complete"] == "true"
        assert sorted(row["metrics"]) == sorted(old[row["variant"]]["metrics"])
        assert row["datasets"]
        assert row["tags"]["git.dirty"] == "true"
    train = new["optimized"]["below"]["train@optimized"]
    assert train["tags"]["git.dirty"] == "true"
    patch = (repository.root / "mlruns" / train["id"] / "artifacts/git/changes.patch").read_text()
    assert "learning_rate: 0.2," in patch
    assert "dvc.lock" not in patch


@pytest.mark.slow
def test_an_experiment_in_a_folder_of_its_own_lands_in_the_same_store_whole(repository):
    repository.commit()
    known = {row["id"] for row in repository.rows()}
    repository.run("dvc", "exp", "run", "--temp", "-n", "apart", "-S", "variants.faithful.gate.max_top1_error=0.6")
    new = {row["variant"]: row for row in repository.rows() if row["id"] not in known}
    assert sorted(new) == ["faithful", "optimized"]
    for variant, row in new.items():
        assert row["tags"]["dvc.exp_name"] == "apart"
        assert row["tags"]["alexnet.complete"] == "true"
        assert row["metrics"]["test/center/top1_error"] == 0.25
        assert f"dvc.out.exports/{variant}" in {**row["tags"], **row["below"].get(f"export@{variant}", row)["tags"]}


def test_a_lost_store_is_made_again_from_the_lock_and_the_reports(repository):
    every = [row for row in repository.rows() if "dvc.exp_name" not in row["tags"]]
    old = {row["variant"]: row for row in every}
    trained = {name: run for row in every for name, run in row["below"].items() if name.startswith("train@")}
    (repository.root / "mlflow.db").unlink()
    shutil.rmtree(repository.root / "mlruns")
    said = repository.run("alexnet", "track", "rebuild").stdout
    assert "faithful: 8 of 8 stages, complete" in said
    rows = repository.rows()
    assert sorted(row["variant"] for row in rows) == ["faithful", "optimized"]
    for row in rows:
        assert row["tags"]["alexnet.complete"] == "true"
        assert row["params"] == old[row["variant"]]["params"]
        assert row["metrics"]["test/center/top1_error"] == 0.25
        assert row["name"] == f"{row['variant']} seed 2012"
        train = row["below"][f"train@{row['variant']}"]
        assert train["tags"]["alexnet.remade"]
        assert train["end"] - train["start"] == pytest.approx(1000 * train["metrics"]["cost/wall_seconds"], abs=1)
        assert train["params"] == trained[f"train@{row['variant']}"]["params"]
        assert (repository.root / "mlruns" / train["id"] / "artifacts" / row["variant"] / "metrics.json").is_file()
    repository.run("alexnet", "track", "rebuild")
    assert len(repository.rows()) == 2, "rebuilding twice makes nothing twice"


def test_a_stage_that_is_out_of_date_is_named_and_not_linked(repository):
    with repository.edited("epochs: 30,", "epochs: 29,"):
        said = repository.run("alexnet", "track", "rebuild").stdout
    stale = "train@optimized, evaluate@optimized, compare, export@optimized"
    assert f"optimized: 4 of 8 stages; out of date: {stale}" in said
    assert "faithful: 7 of 8 stages; out of date: compare" in said


def test_verify_finds_the_same_bytes(repository):
    repository.commit()
    said = repository.run("alexnet", "verify", "train@optimized", "--json")
    certificate = json.loads(said.stdout)
    assert certificate["verdict"] == "reproduced"
    assert [each["path"] for each in certificate["outputs"]] == ["models/optimized", "reports/train/optimized"]
    claimed = read_lock(repository.root).hashes
    for each in certificate["outputs"]:
        assert each["claimed"] == each["reproduced"] == claimed[each["path"]]
    assert {"host.platform", "host.cpus", "host.cpu", "version.python", "version.tensorflow"} <= set(
        certificate["machine"]
    )
    assert list((repository.root / ".alexnet/verify").iterdir()) == []


def test_verify_reruns_every_stage_as_dvc_does(repository):
    """In a process of its own: the stubs, like TensorFlow, leave in their outputs what their process did before."""
    certificate = json.loads(repository.run("alexnet", "verify", "--json").stdout)
    assert certificate["verdict"] == "reproduced"
    assert len(certificate["outputs"]) == 17
    assert set(certificate["stages"].values()) == {"reproduced"}


@pytest.mark.parametrize(
    ("number", "verdict", "code"), [("0.26", "within tolerance", 0), ("0.75", "not reproduced", 1)]
)
def test_verify_compares_numbers_where_bytes_differ(repository, number, verdict, code):
    with repository.edited('"top1_error": 0.25', f'"top1_error": {number}', "stub_stages.py", committed=True):
        done = repository.run("alexnet", "verify", "evaluate@faithful", check=False)
    assert done.returncode == code
    assert f"verdict:  {verdict}" in done.stdout
    assert f"center/top1_error: 0.25 -> {number}" in done.stdout


def test_verify_cannot_say_that_results_are_the_same_where_there_are_no_numbers(repository):
    passed = ("""'{"verdict": "pass"}""", """'{"verdict": "passed"}""")
    with repository.edited(*passed, "stub_stages.py", committed=True):
        done = repository.run("alexnet", "verify", "validate", check=False)
    assert done.returncode == 1, done.stderr
    assert "validate: different bytes" in done.stdout
    assert "verdict:  not reproduced" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "part"),
    [(["train@fatihful"], "no stage 'train@fatihful'"), (["--tolerance", "-1"], "--tolerance")],
)
def test_verify_says_what_is_wrong_with_its_arguments(repository, arguments, part):
    done = repository.run("alexnet", "verify", *arguments, check=False)
    assert done.returncode == 2
    assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_the_lock_is_read_as_dvc_writes_it(repository):
    content = read(repository.root / "dvc.lock")
    assert content["stages"]["train@faithful"]["params"]["params.yaml"]["variants.faithful.profile"] == "original"


def test_results_that_are_kept_make_the_rows_again(repository, tmp_path):
    (repository.root / "experiments").mkdir()
    shutil.copy(repository.root / "params.yaml", repository.root / "experiments/stub.yaml")
    repository.rows()  # the uploader has ended
    kept = json.loads(repository.run("alexnet", "track", "keep", "--json").stdout)
    old = [json.loads((repository.root / path).read_text()) for path in kept if "-seed2012-" in path]
    assert [each["row"]["variant"] for each in old] == ["faithful", "optimized"]
    for name in ("mlflow.db", "mlruns", ".alexnet/linked.json"):
        path = repository.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    put_empty_store(repository.root)
    for _ in range(2):  # the second time changes nothing
        assert "2 results are in" in repository.run("alexnet", "track", "import").stdout
        rows = repository.rows()
        assert sorted(row["variant"] for row in rows) == ["faithful", "optimized"]
        new = {row["variant"]: row for row in rows}
        for each in old:
            row = new[each["row"]["variant"]]
            took = sum(stage["remake"]["cost"]["wall_seconds"] for stage in each["row"]["standing"])
            assert row["end"] - row["start"] == pytest.approx(1000 * took, abs=1)
            assert row["params"] == each["row"]["params"]
            evaluate = next(stage for stage in each["row"]["standing"] if stage["stage"].startswith("evaluate@"))
            found = {name: row["metrics"][name] for name in evaluate["metrics"]}
            assert found == {name: float(f"{value:.6g}") for name, value in evaluate["metrics"].items()}
            assert row["name"] == f"{row['variant']} (imported)", "nothing differs from experiments/stub.yaml"
            assert f"alexnet use stub && dvc repro evaluate@{row['variant']}" in row["tags"]["mlflow.note.content"]
            assert evaluate["metrics"]["test/center/top1_error"] == 0.25
            assert row["tags"]["alexnet.result"].startswith("results/stub/")
            # A stage that serves both variants stands below one row and is linked from the other.
            linked = {tag.removeprefix("skipped.") for tag in row["tags"] if tag.startswith("skipped.")}
            assert linked | {each.partition("@")[0] for each in row["below"]} == set(STAGES)


def test_what_an_experiment_was_not_asked_for_is_not_of_its_row(repository):
    """DVC keeps the entries of the stages that it did not run; those below a new training are of the old one."""
    repository.commit()
    repository.run("git", "checkout", "-q", "-b", "part")
    key, lock = "variants.optimized", read(repository.root / "dvc.lock")
    entry = lock["stages"]["train@optimized"]
    rate = entry["params"]["params.yaml"][f"{key}.training"]["learning_rate"]
    repository.edit(f"learning_rate: {rate},", "learning_rate: 0.7,")
    entry["params"]["params.yaml"][f"{key}.training"]["learning_rate"] = 0.7
    for out in entry["outs"]:
        out["md5"] = out["md5"].replace(out["md5"][:4], "0000")
    (repository.root / "dvc.lock").write_text(json.dumps(lock))
    repository.commit()
    code = (
        "import json; from pathlib import Path; from pipeline.tracking.backfill import describe_experiment; "
        "print(json.dumps(describe_experiment(Path.cwd(), 'HEAD', 'a pipeline run')))"
    )
    event = json.loads(repository.run(sys.executable, "-c", code).stdout)
    repository.run("git", "checkout", "-q", "main")
    rows = {row["variant"]: [stage["stage"] for stage in row["standing"]] for row in event["rows"]}
    before = ["download", "validate"]
    assert rows["optimized"] == [*before, "preprocess@small", "statistics@small", "train@optimized"]
    assert {"evaluate@faithful", "export@faithful"} <= set(rows["faithful"])
    assert "compare" not in rows["faithful"]


def test_a_row_has_the_pictures_of_its_own_variant(tmp_path):
    for name in ("evaluate/b/bar", "evaluate/b/gallery", "compare/bar_b", "compare/gallery_b", "compare/bar_a_b"):
        (tmp_path / "reports" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "reports" / f"{name}.png").touch()
    [row] = with_files(tmp_path, {"rows": [{"standing": [{"stage": "compare"}], "variant": "b"}]})["rows"]
    assert row["files"] == [[f"{tmp_path}/reports/compare/bar_b.png", "figures"]]
