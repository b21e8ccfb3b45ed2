"""The ledger names what exists, claims no more than it proves, and the page is rendered from it."""

import importlib
import inspect
import subprocess
import sys
from functools import reduce
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from pipeline.pages import paper
from pipeline.pages.paper import Row, ledger, render
from pipeline.results.rungs import read_rungs


@pytest.fixture(scope="module")
def rows(root):
    return ledger(root)


def every(rows):
    return [row for table in rows.values() for row in table.values()]


def resolved(symbol):
    """What `module:name` names."""
    module, _, names = symbol.partition(":")
    return reduce(getattr, names.split("."), importlib.import_module(module))


def test_every_claim_and_every_difference_has_its_row(rows):
    assert list(rows["claims"]) == list(range(1, 59))
    assert list(rows["differences"]) == list(range(1, 16))


def test_the_first_29_claims_are_settled(rows):
    assert {rows["claims"][number].status for number in range(1, 30)} == {"exact", "code-variant"}


def test_every_symbol_can_be_imported(rows):
    for symbol in {symbol for row in every(rows) for symbol in row.symbols}:
        module = symbol.partition(":")[0]
        found = resolved(symbol)
        # Where it is written, not where it was imported to.
        assert getattr(found, "__module__", module) in (module, "builtins"), symbol


def test_every_test_is_a_test_that_pytest_collects(rows, root):
    named = {test for row in every(rows) for test in row.tests}
    for test in named:
        file, _, function = test.partition("::")
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        found = getattr(module, function, None)
        assert inspect.isfunction(found), test
        skips = {mark.name for mark in getattr(found, "pytestmark", [])} & {"skip", "skipif", "xfail"}
        assert not skips, test


@pytest.mark.slow
def test_pytest_itself_collects_every_test_by_its_name(rows, root):
    named = sorted({test for row in every(rows) for test in row.tests})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "", *named]
    collected = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert collected.returncode == 0, collected.stdout[-2000:] + collected.stderr[-2000:]
    assert {line.partition("[")[0] for line in collected.stdout.splitlines() if "::" in line} == set(named)


def test_a_cell_cannot_break_its_table(rows):
    table = [line for line in render(rows).splitlines() if line.startswith("| ")]
    assert {line.replace("\\|", "").count(" | ") for line in table} == {2, 7}


def test_every_claim_of_the_ablations_is_told_by_a_row(rows, root):
    claimed = {name for name, rung in read_rungs(root).items() if rung.claim}
    assert {name for row in every(rows) for name in row.rungs} == claimed - {"tanh"}  # figure 1 has its own experiment


@pytest.mark.parametrize(
    ("seeds", "lost", "verdict", "status"),
    [
        ((), (), "not run", "not attempted"),
        ((1,), (), "+0.50 points of test error, ten crops (1 of 3 seeds)", "begun"),
        ((), (1,), "did not train with seed 1", "begun"),
        ((1, 2, 3), (), "confirmed", "scaled"),
        ((1, 2), (3,), "did not train with seed 3", "scaled"),
    ],
)
def test_a_row_follows_the_results_of_its_ablations(root, monkeypatch, seeds, lost, verdict, status):
    def outcomes(_root):
        return [
            SimpleNamespace(name=name, rung=rung, claim=rung.claim, seeds=seeds, lost=lost, told=verdict)
            for name, rung in read_rungs(root).items()
        ]

    monkeypatch.setattr(paper, "outcomes", outcomes)
    claims = ledger(root)["claims"]
    assert claims[33].ours.endswith(f"; pooling windows that do not overlap: {verdict}")
    assert claims[33].status == claims[40].status == status
    assert claims[32].status == "scaled"
    assert claims[40].ours.endswith(f"; no conv3: {verdict}; no conv4: {verdict}")
    assert {"not run" in claims[number].ours for number in range(32, 41)} == {verdict == "not run"}


ROW = {"claim": "c", "paper": "p", "code": "c", "ours": "o", "symbols": ["a.b:c"], "tests": [], "status": "exact"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "status exact names at least one symbol and one test"),
        ({"status": "scaled", "tests": ["tests/a/test_b.py::test_c"], "symbols": []}, "at least one symbol"),
        ({"status": "done"}, "Input should be"),
        ({"tests": ["tests/a/test_b.py"]}, "match pattern"),
        ({"symbols": ["a.b.c"]}, "match pattern"),
        ({"note": "x"}, "Extra inputs"),
    ],
)
def test_a_row_that_proves_nothing_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Row.model_validate(ROW | change)


def test_a_name_that_does_not_exist_is_found():
    assert resolved("pipeline.pages.paper:Row.model_validate")
    with pytest.raises(AttributeError):
        resolved("pipeline.pages.paper:Column")
    with pytest.raises(ImportError):
        resolved("pipeline.paper_pag:Row")
