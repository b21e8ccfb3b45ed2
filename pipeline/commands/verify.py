"""`alexnet verify`: whether a rerun gives what dvc.lock or a kept result claims."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands import completion
from pipeline.commands.base import Command, as_json, example, say
from pipeline.environment.workspace import find_workspace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.verify.certificate import Certificate, Comparison

_COLOURS = {
    "reproduced": "green",
    "same results, different bytes": "green",
    "within tolerance": "yellow",
    "different bytes": "yellow",
    "not reproduced": "red",
}
_LEFT_OUT = {
    False: "",
    True: " (uncommitted changes were left out)",
    None: " (Git cannot tell whether uncommitted changes were left out)",
}
_EXAMPLES = (
    "alexnet verify",
    "alexnet verify train@optimized --json > certificate.json",
    "alexnet verify results/imagenette/optimized-seed3-19276419.json",
)
_HELP = f"""Rerun a committed pipeline, stage or result, and compare every output.

Without an argument, the committed pipeline is compared with dvc.lock; with STAGE, such as train@optimized, one stage of
it, whose inputs come from DVC's cache. RESULT, a file in results/, is rerun from its own commit, from the data to the
evaluation. Data sets come from `runtime.source_folder` (params.yaml or params.local.yaml).

The rerun uses a clean folder with committed files only and takes as long as the run. Your outputs are not changed.

Equal parameters, data and code give equal bytes on the same kind of machine. If bytes differ, the numbers in the
stage's metrics.json decide. The verdict, for each stage and for all together, is one of

\b
reproduced                     every byte is the same
same results, different bytes  every number is the same
within tolerance               numbers differ by no more than --tolerance
not reproduced                 numbers differ by more, there are none, or the claimed ones are not found

A stage that has no numbers, such as export, may also have "different bytes"; the other stages then decide.

Errors are fractions, so a tolerance of 0.05 is five percentage points. Which epoch was best, and p-values, may
differ by any amount: they jump where errors move by their rounding.

The exit code is 1 for `not reproduced`, else 0.

{example(*_EXAMPLES)}"""


@click.command("verify", cls=Command, help=_HELP, short_help="Rerun committed results and compare every output.")
@click.argument("claim", metavar="[STAGE|RESULT]", required=False, default="", shell_complete=completion.claims)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=0.05,
    show_default=True,
    help="Largest accepted difference of numbers, relative to the larger of 1 and the claimed number.",
)
@click.option("--keep", is_flag=True, help="Keep the clean folder, also if the rerun fails.")
@as_json
@click.pass_context
def command(ctx: click.Context, claim: str, tolerance: float, keep: bool, as_json: bool) -> None:
    """Print the certificate."""
    from pipeline.results.kept import read_result
    from pipeline.verify.verify import verify, verify_result

    workspace = find_workspace()
    if claim.endswith(".json"):
        certificate = verify_result(workspace, read_result(Path(claim)), tolerance=tolerance, keep=keep, say=say)
    else:
        certificate = verify(workspace, claim, tolerance=tolerance, keep=keep, say=say)
    click.echo(certificate.as_json() if as_json else _text(certificate))
    ctx.exit(1 if certificate.verdict == "not reproduced" else 0)


def _text(certificate: "Certificate") -> str:
    width = max(len(each.path) for each in certificate.outputs)
    lines = [f"  {'output':{width}}  {'claimed':12}  {'reproduced':12}  bytes    metrics"]
    for stage, verdict in certificate.stages.items():
        lines.append(f"{stage}: {click.style(verdict, fg=_COLOURS[verdict])}")
        for each in (output for output in certificate.outputs if output.stage == stage):
            same = "same" if each.same_bytes else "differ"
            hashes = f"{each.claimed[:12]:12}  {each.reproduced[:12]:12}"
            lines.append(f"  {each.path:{width}}  {hashes}  {same:7}  {_metrics(each)}".rstrip())
            lines += [f"    {name}: {old:.6g} -> {new:.6g}" for name, (old, new) in list(each.numbers.items())[:5]]
    machine, claimed_on = certificate.machine, certificate.claimed_on
    lines += ["", f"claim:    {certificate.claim}", f"commit:   {certificate.commit}{_LEFT_OUT[certificate.left_out]}"]
    lines += [f"from:     {_place(claimed_on)}", f"          {_packages(claimed_on)}"] if claimed_on else []
    lines += [f"machine:  {_place(machine)}", f"versions: {_packages(machine)}"]
    return "\n".join([*lines, f"verdict:  {certificate.verdict}"])


def _metrics(output: "Comparison") -> str:
    if output.metrics == "not found":
        return f"claimed ones not found; `dvc pull {output.stage}` fetches them if a remote is set"
    return output.metrics or ""


def _place(machine: "Mapping[str, str]") -> str:
    from pipeline.environment.provenance import words_of

    return f"{machine.get('host.platform')}, {words_of(machine)}"


def _packages(machine: "Mapping[str, str]") -> str:
    named = [f"{name} {machine.get(f'version.{name}')}" for name in ("tensorflow", "keras", "numpy")]
    return ", ".join([f"Python {machine.get('version.python')}", *named])
