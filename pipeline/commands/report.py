"""`alexnet report`: the comparison table, and where to see more."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from pipeline.commands.base import Command, as_json, example, say
from pipeline.environment.typed import typed

if TYPE_CHECKING:
    from pipeline.results.expected import Outcome

_HELP = f"""Compare the variants of the last run, as a table and as one page that needs no network.

The page is reports/report.html. --rev adds the variants of past runs from DVC's cache and writes
reports/compared.html; runs tested on different images are refused. If the cache lacks a run, its errors come from the
revision's metrics.json, without the paired test. With --json no page is written.

Without --rev the last lines say whether the run came out as expected: bit-identical to the committed run, or with
errors in the range of the committed run and the kept results with the same parameters. If not, the exit code is 1.

{example("alexnet report", "alexnet report --rev HEAD~1 --rev brave-exp")}"""


@click.command("report", cls=Command, help=_HELP, short_help="Print the comparison; write reports/report.html.")
@click.option(
    "--rev", "revisions", multiple=True, metavar="REV", help="A Git revision or DVC experiment. Can be repeated."
)
@as_json
@click.pass_context
def command(ctx: click.Context, revisions: tuple[str, ...], as_json: bool) -> None:
    """Print the comparison and write the page."""
    from alexnet_tf.comparison.page import sentences, table
    from pipeline.config.load import workspace_and_config
    from pipeline.results.expected import outcome
    from pipeline.results.report import COMPARED, costs, origin_of, read_comparison, write_page, write_report
    from pipeline.results.revisions import compare_with
    from pipeline.tracking.backfill import complete
    from pipeline.tracking.uploads import kept_sentence

    workspace, config = workspace_and_config()
    measured = costs(workspace, config)
    if revisions:
        comparison, figures, notes = compare_with(workspace, config, revisions)
    else:
        comparison, notes = read_comparison(workspace), []
    if as_json:
        found = None if revisions else outcome(workspace, config, comparison)
        said = {"expected": asdict(found)} if found else {"notes": notes}
        click.echo(json.dumps({"comparison": comparison, "costs": measured} | said, indent=1, sort_keys=True))
        ctx.exit(_exit_code(found))
    if revisions:
        page = write_page(workspace.root / COMPARED, comparison, measured, figures, origin_of(workspace.root))
    else:
        page = write_report(workspace, config)
    click.echo(table(comparison, measured))
    click.echo()
    for sentence in sentences(comparison):
        click.echo(sentence)
    for note in notes:
        click.echo(f"note: {note}")
    click.echo()
    click.echo(f"report:       {page.relative_to(workspace.root)} (open it in a browser)")
    click.echo(f"all runs:     {typed('alexnet ui')}")
    if problem := complete(workspace, config):
        say(kept_sentence(problem))
    found = None if revisions else outcome(workspace, config, comparison)
    for line in ["", *found.lines()] if found else []:
        click.echo(line)
    ctx.exit(_exit_code(found))


def _exit_code(found: "Outcome | None") -> int:
    return 1 if found and found.verdict == "not as expected" else 0
