#!/usr/bin/env bash
# apache-beam==2.77.0, dask==2026.8.0, distributed==2026.8.0
#
# Behaviour: the DaskRunner that comes with Beam ends without an error and without a part of the results. What a DoFn
# emits in finish_bundle is lost, so BatchElements loses the last, smaller batch. A step with several outputs, as
# Partition, sends every element to the last consumer and none to the first. Of two consumers of one collection only
# the last one runs. WriteToText writes an empty file. The same pipelines are right under the DirectRunner.
#
# One would guess: a runner does what Beam's model says, or refuses what it cannot do; Beam's own transforms are safe
# on every runner that Beam brings.
#
# Why it matters: Dask is what laboratories have where there is no Flink or Spark. A preprocessing in batches loses
# images there, a split into training and test data is one split, and nothing says so. Chains of plain one-to-one steps
# are right; count what arrives.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q apache-beam==2.77.0 dask==2026.8.0 distributed==2026.8.0 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >shapes.py <<'PY'
import sys
import tempfile
from pathlib import Path

import apache_beam as beam

RUNNERS = {"direct": "DirectRunner", "dask": "apache_beam.runners.dask.dask_runner.DaskRunner"}


def save(element, path):
    with open(path, "a") as file:
        file.write(f"{element}\n")


def to(folder, name):
    return f"save {name}" >> beam.Map(save, str(folder / name))


def chain(pipeline, folder):
    _ = pipeline | beam.Create(range(10)) | beam.Map(lambda n: n) | to(folder, "all")


def batches(pipeline, folder):
    sized = beam.BatchElements(min_batch_size=4, max_batch_size=4)
    _ = pipeline | beam.Create(range(10)) | sized | beam.FlatMap(lambda batch: batch) | to(folder, "all")


def partition(pipeline, folder):
    even, odd = pipeline | beam.Create(range(10)) | beam.Partition(lambda n, count: n % count, 2)
    _ = even | to(folder, "even")
    _ = odd | to(folder, "odd")


def two_consumers(pipeline, folder):
    numbers = pipeline | beam.Create(range(10))
    _ = numbers | to(folder, "first")
    _ = numbers | to(folder, "second")


def text(pipeline, folder):
    _ = pipeline | beam.Create(range(10)) | beam.Map(str) | beam.io.WriteToText(str(folder / "text"))


if __name__ == "__main__":
    for name, shape in {
        "chain": chain, "batches": batches, "partition": partition, "two consumers": two_consumers, "text": text
    }.items():  # fmt: skip
        folder = Path(tempfile.mkdtemp(dir="."))
        with beam.Pipeline(runner=RUNNERS[sys.argv[1]]) as pipeline:
            shape(pipeline, folder)
        files = (file for file in sorted(folder.iterdir()) if file.is_file())
        found = {file.name.partition("-")[0]: file.read_text().split() for file in files}
        saved = ", ".join(f"{output} {' '.join(sorted(lines)) or 'empty'}" for output, lines in found.items())
        print(f"{sys.argv[1]}, {name}: {saved}", flush=True)
PY
for runner in direct dask; do
  venv/bin/python shapes.py "$runner" 2>beam.log || { cat beam.log >&2; exit 1; }
done | tee seen
cat >want <<'WANT'
direct, chain: all 0 1 2 3 4 5 6 7 8 9
direct, batches: all 0 1 2 3 4 5 6 7 8 9
direct, partition: even 0 2 4 6 8, odd 1 3 5 7 9
direct, two consumers: first 0 1 2 3 4 5 6 7 8 9, second 0 1 2 3 4 5 6 7 8 9
direct, text: text 0 1 2 3 4 5 6 7 8 9
dask, chain: all 0 1 2 3 4 5 6 7 8 9
dask, batches: all 0 1 2 3 4 5 6 7
dask, partition: odd 0 1 2 3 4 5 6 7 8 9
dask, two consumers: second 0 1 2 3 4 5 6 7 8 9
dask, text: text empty
WANT
diff seen want || { echo "changed: the lines marked > were expected" >&2; exit 1; }
