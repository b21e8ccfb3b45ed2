"""`alexnet report`: the comparison table, and where to see more."""

import json

import click

from pipeline.commands.base import Command, as_json, example, say, typed

_HELP = f"""Print how the variants of the last run compare, and write it as one page that opens without a network.

The page is reports/report.html. With --rev, the variants of past runs stand beside them, taken from DVC's cache, and
the page is reports/compared.html; runs that were tested on other images are refused. What the cache does not have is
taken from the revision's metrics.json, without the paired test. With --json no page is written.

{example("alexnet report" + chr(10) + "alexnet report --rev HEAD~1 --rev brave-exp")}"""


@click.command("report", cls=Command, help=_HELP, short_help="Print the comparison; write reports/report.html.")
@click.option(
    "--rev", "revisions", multiple=True, metavar="REV", help="A Git revision or DVC experiment; may be repeated."
)
@as_json
def command(revisions: tuple[str, ...], as_json: bool) -> None:
    """Print the comparison and write the page."""
    from alexnet_tf.report import headline, table
    from pipeline.config import PARAMS_FILE, load
    from pipeline.linking import complete
    from pipeline.report import COMPARED, costs, read_comparison, write_page, write_report
    from pipeline.revisions import compare_with
    from pipeline.workspace import find_workspace

    workspace = find_workspace()
    config = load(workspace.root / PARAMS_FILE)
    measured = costs(workspace, config)
    past = compare_with(workspace, config, revisions) if revisions else None
    comparison = past.comparison if past else read_comparison(workspace)
    notes = past.notes if past else []
    if as_json:
        said = {"comparison": comparison, "costs": measured, "notes": notes}
        click.echo(json.dumps(said, indent=1, sort_keys=True))
        return
    if past is None:
        page = write_report(workspace, config)
    else:
        page = write_page(workspace.root / COMPARED, comparison, measured, past.figures)
    click.echo(table(comparison, measured))
    click.echo()
    for sentence in headline(comparison):
        click.echo(sentence)
    for note in notes:
        click.echo(f"note: {note}")
    click.echo()
    click.echo(f"report:       {page.relative_to(workspace.root)} (open it in a browser)")
    click.echo(f"all runs:     {typed('alexnet ui')}")
    if problem := complete(workspace, config):
        say(f"MLflow: {problem}; what it lacks waits in .alexnet/spool, `alexnet track sync` sends it")
