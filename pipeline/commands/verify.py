"""`alexnet verify`: does what is committed give what dvc.lock claims."""

from typing import TYPE_CHECKING

import click

from pipeline.commands.base import Command, as_json, example, say

if TYPE_CHECKING:
    from pipeline.verify import Certificate

_COLOURS = {"same bytes": "green", "same numbers": "green", "other bytes": "yellow", "other numbers": "red"}
_HELP = f"""Rerun the committed pipeline, or one STAGE such as train@optimized, and compare every output with dvc.lock.

It runs in a clean folder with committed files alone and takes as long as the pipeline did; your outputs stay as they
are. One STAGE gets its inputs from DVC's cache.

Equal parameters, data and code give equal bytes on the same kind of machine. Where bytes differ, the numbers of a
stage's metrics.json are compared. Exits with 1 if they do not agree either.

{example("alexnet verify" + chr(10) + "alexnet verify train@optimized --json > certificate.json")}"""


@click.command("verify", cls=Command, help=_HELP, short_help="Rerun what is committed, and compare every output.")
@click.argument("stage", required=False, default="")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=0.05,
    show_default=True,
    help="How far numbers may lie apart where bytes differ, relative to the larger of 1 and the claimed number.",
)
@click.option("--keep", is_flag=True, help="Leave the clean folder in place, also when the rerun fails.")
@as_json
@click.pass_context
def command(ctx: click.Context, stage: str, tolerance: float, keep: bool, as_json: bool) -> None:
    """Print the certificate."""
    from pipeline.verify import verify
    from pipeline.workspace import find_workspace

    certificate = verify(find_workspace(), stage, tolerance=tolerance, keep=keep, say=say)
    click.echo(certificate.as_json() if as_json else _text(certificate))
    ctx.exit(1 if certificate.verdict == "not reproduced" else 0)


def _text(certificate: "Certificate") -> str:
    width = max(len(each.path) for each in certificate.outputs)
    lines = [f"{'output':{width}}  {'claimed':12}  {'reproduced':12}  verdict"]
    for each in certificate.outputs:
        verdict = click.style(each.verdict, fg=_COLOURS[each.verdict])
        lines.append(f"{each.path:{width}}  {each.claimed[:12]}  {each.reproduced[:12]:12}  {verdict}")
        lines += [f"    {name}: {old:.6g} -> {new:.6g}" for name, (old, new) in list(each.numbers.items())[:5]]
    machine = certificate.machine
    cores = f"{machine.get('host.cpus')} cores of {machine.get('host.cpu')}"
    place = f"{machine.get('host.platform')}, {cores}, {machine.get('host.gpus', 'no GPU')}"
    packages = ", ".join(f"{name} {machine.get(f'version.{name}')}" for name in ("tensorflow", "keras", "numpy"))
    lines += [
        "",
        f"commit:   {certificate.commit}" + (" (changes that are not committed were left out)" * certificate.left_out),
        f"machine:  {place}",
        f"versions: Python {machine.get('version.python')}, {packages}",
        f"verdict:  {certificate.verdict}",
    ]
    return "\n".join(lines)
