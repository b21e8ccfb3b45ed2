"""`alexnet report`: the comparison table, and where to see more."""

import json

import click

from pipeline.commands.base import Command, as_json, example, say

_HELP = f"""Print the comparison of the variants and write reports/report.html.

{example("alexnet report")}"""


@click.command("report", cls=Command, help=_HELP, short_help="Print the comparison; write reports/report.html.")
@as_json
def command(as_json: bool) -> None:
    """Print the comparison and write the page."""
    from alexnet_tf.report import headline, table
    from pipeline.config import PARAMS_FILE, load
    from pipeline.linking import complete
    from pipeline.report import costs, read_comparison, write_report
    from pipeline.workspace import find_workspace

    workspace = find_workspace()
    config = load(workspace.root / PARAMS_FILE)
    comparison = read_comparison(workspace)
    measured = costs(workspace, config)
    if as_json:
        click.echo(json.dumps({"comparison": comparison, "costs": measured}, indent=1, sort_keys=True))
        return
    page = write_report(workspace, config)
    click.echo(table(comparison, measured))
    click.echo()
    for sentence in headline(comparison):
        click.echo(sentence)
    click.echo()
    click.echo(f"report:       {page.relative_to(workspace.root)} (open it in a browser)")
    click.echo("all runs:     alexnet ui (or `mlflow ui` in this folder)")
    if problem := complete(workspace, config):
        say(f"MLflow: {problem}; what it lacks waits in .alexnet/spool, `alexnet track sync` sends it")
