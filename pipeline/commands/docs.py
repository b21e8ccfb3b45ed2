"""`alexnet docs`: everything in docs/ and dvc.yaml that is rendered."""

from pathlib import Path

import click

from alexnet_tf.errors import AlexNetError
from pipeline.commands.base import Command, example
from pipeline.environment.workspace import find_workspace

_FIGURE1 = "docs/img/figure1.png"
_HELP = f"""Render the pages that depend on results, code and parameter models.

These are the tables of README.md and of pages of docs/, docs/paper.md, docs/profiles.md, docs/params.schema.json,
figure 1 and the figure of the ablations, the code files of each stage in dvc.yaml, and the copies in
pipeline/project/files. `make docs` also renders the pages of benchmarks/.

{example("alexnet docs", "alexnet docs --check")}"""


@click.command("docs", cls=Command, help=_HELP, short_help="Render the pages that depend on results and code.")
@click.option("--check", is_flag=True, help="Change nothing; fail if a page is out of date.")
def command(check: bool) -> None:
    """Render, or compare."""
    root = find_workspace().root
    if not (root / "docs").is_dir():
        raise AlexNetError(f"{root}: has no docs/; run this in a clone of the repository")
    changed = {
        name: page
        for name, page in rendered(root).items()
        if not (root / name).is_file() or (root / name).read_bytes() != page
    }
    if check and changed:
        raise AlexNetError(
            f"{', '.join(changed)}: expected what `make docs` renders, found something else; run `make docs`"
        )
    for name, page in changed.items():
        (root / name).write_bytes(page)
        click.echo(f"rendered {name}")


def rendered(root: Path) -> dict[str, bytes]:
    """Render every page: its path in the repository -> its content."""
    from pipeline.commands.params import schema_text
    from pipeline.pages import dvc_yaml, paper, profiles, result_tables
    from pipeline.project.create import COPIES
    from pipeline.results import ablations
    from pipeline.results.figure1 import plot
    from pipeline.results.groups import grouped
    from pipeline.results.kept import FOLDER, load

    def text(name: str) -> str:
        return (root / name).read_text(encoding="utf-8")

    pages = {name: result_tables.rendered(root, text(name)) for name in result_tables.PAGES}
    pages["docs/paper.md"] = paper.render(paper.ledger(root))
    pages["docs/profiles.md"] = profiles.rendered(text("docs/profiles.md"))
    pages["docs/params.schema.json"] = schema_text()
    pages["dvc.yaml"] = dvc_yaml.refreshed(text("dvc.yaml"), root)
    pages["pipeline/project/files/dvc_yaml"] = dvc_yaml.for_project(pages["dvc.yaml"])
    pages |= {f"pipeline/project/files/{name}": text(place) for name, place in COPIES.items()}
    figures = {_FIGURE1: plot(grouped(load(root / FOLDER / "relu_tanh")))}
    if (ladder := ablations.plot(root)) is not None:
        figures[ablations.FIGURE] = ladder
    return {name: page.encode() for name, page in pages.items()} | figures
