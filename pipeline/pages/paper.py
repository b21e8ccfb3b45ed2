"""Renders docs/paper.md from docs/paper.yaml, and from what came out of the ablations that it names: `make docs`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from alexnet_tf.text_tables import markdown_table
from pipeline.environment.checked_file import FileModel, read_as
from pipeline.results.ablations import LEAST_SEEDS, RungOutcome, outcomes

FILE = "docs/paper.yaml"
Table = Literal["claims", "differences"]
Status = Literal["exact", "code-variant", "scaled", "begun", "not attempted"]
Symbol = Annotated[str, Field(pattern=r"^[a-z0-9_.]+:\w[\w.]*$")]
Test = Annotated[str, Field(pattern=r"^tests/[\w/]+/test_\w+\.py::test_\w+$")]
MEANINGS: dict[Status, str] = {
    "exact": "as the paper says; the 2012 code agrees",
    "code-variant": "the text is silent, or the code differs: `original` follows the code and `paper` the text, or "
    "the row says otherwise",
    "scaled": "done at a smaller scale than in the paper; the row has the outcome",
    "begun": "runs at a smaller scale are kept, but of fewer than three seeds",
    "not attempted": "the row says what exists and what does not",
}
_HEAD = """# The paper, the code of 2012, and this project

Rendered from paper.yaml by `make docs`; a test checks that, and that every symbol and every test named here exists.

Pairs of errors are top-1 / top-5 in percent. The 2012 code is that of computerhistory/AlexNet-Source-Code, whose
network `layers-145.cfg` logged the paper's own figures. [profiles.md](profiles.md) lists the switches and the
departures that remain in every profile.
"""
_TITLES: dict[Table, str] = {
    "claims": "What the paper claims",
    "differences": "Where the text and the code of 2012 differ",
}


class Row(FileModel):
    """A claim of the paper, or a difference between its text and its code.

    Attributes:
        claim: What is claimed, in a few words.
        paper: What the text says, and where.
        code: What the released code does.
        ours: What this project does.
        symbols: Where, as `module:name`.
        tests: What pins it, as `file::function`.
        status: How far the claim holds here.
        rungs: Names of docs/ablations.yaml whose verdicts follow `ours`; `not attempted` becomes what they came to.
    """

    claim: str
    paper: str
    code: str
    ours: str
    symbols: list[Symbol]
    tests: list[Test]
    status: Status
    rungs: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _proven(self) -> Self:
        if self.status != "not attempted" and not (self.symbols and self.tests):
            raise ValueError(f"a row of status {self.status} names at least one symbol and one test")
        return self


def ledger(root: Path) -> dict[Table, dict[int, Row]]:
    """Read docs/paper.yaml: `claims` and `differences`, each number -> row, with the verdicts of its rungs.

    Raises:
        AlexNetError: The file is missing or no YAML.
        KeyError: A row names a rung that there is not, or that claims nothing.
        DataError: A row is not as `Row` says, or the results of the ablations do not belong together.
    """
    tables = read_as(TypeAdapter(dict[Table, dict[int, Row]]), root, FILE)
    judged = {each.name: each for each in outcomes(root) if each.claim}
    return {
        table: {number: _with_verdicts(row, [judged[name] for name in row.rungs]) for number, row in rows.items()}
        for table, rows in tables.items()
    }


def _with_verdicts(row: Row, rungs: Sequence[RungOutcome]) -> Row:
    if not rungs:
        return row
    ours = "; ".join([row.ours, *(f"{each.rung.words}: {each.told}" for each in rungs)])
    status = row.status
    if status == "not attempted" and any(each.seeds or each.lost for each in rungs):
        status = "scaled" if all(len(each.seeds + each.lost) >= LEAST_SEEDS for each in rungs) else "begun"
    return row.model_copy(update={"ours": ours, "status": status})


def render(rows: Mapping[Table, Mapping[int, Row]]) -> str:
    """Return the page."""
    counts = Counter(row.status for table in rows.values() for row in table.values())
    meanings = [(status, meaning, counts[status]) for status, meaning in MEANINGS.items()]
    lines = [_HEAD, markdown_table([("status", "meaning", "rows"), *meanings])]
    for name, title in _TITLES.items():
        head = ("#", "what", "paper", "2012 code", "here", "where", "tests", "status")
        table = markdown_table([head, *(_cells(number, row) for number, row in rows[name].items())])
        lines += ["", f"## {title}", "", table]
    return "\n".join(lines) + "\n"


def _cells(number: int, row: Row) -> list[str]:
    where = [f"[`{symbol.partition(':')[2]}`](../{_file(symbol)})" for symbol in row.symbols]
    tests = [f"[{_words(test)}](../{test.partition('::')[0]})" for test in row.tests]
    cells = (number, row.claim, row.paper, row.code, row.ours, "<br>".join(where), "<br>".join(tests), row.status)
    return [str(cell).replace("*", "\\*") for cell in cells]


def _file(symbol: str) -> str:
    return symbol.partition(":")[0].replace(".", "/") + ".py"


def _words(test: str) -> str:
    return test.partition("::test_")[2].replace("_", " ")
