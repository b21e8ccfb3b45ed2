"""`alexnet ui`: MLflow's pages over the runs of this repository."""

import os
import socket
import subprocess
import sys

import click

from pipeline.commands.base import Command, example, say

_HELP = f"""Serve MLflow's pages on this machine until Ctrl-C.

{example("alexnet ui --port 5001")}"""


@click.command("ui", cls=Command, help=_HELP, short_help="Serve MLflow's pages over all runs.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port; by default a free one.")
def command(port: int | None) -> None:
    """Start MLflow's server and print its address."""
    from alexnet_tf.errors import AlexNetError
    from pipeline.sender import tracking_uri
    from pipeline.workspace import find_workspace

    home = find_workspace().home
    uri = tracking_uri(home)
    if uri.startswith(("http://", "https://")):
        click.echo(f"MLFLOW_TRACKING_URI is set: the runs are at {uri}")
        return
    chosen = port or free_port()
    click.echo(f"MLflow is starting at http://127.0.0.1:{chosen} (Ctrl-C ends it)")
    # One worker and no job runner: a person looking at runs needs no more, and each costs 250 MB.
    environment = os.environ | {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    server = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--workers", "1"]
    place = [
        "--default-artifact-root",
        (home / "mlruns").as_uri(),
        "--host",
        "127.0.0.1",
        "--port",
        str(chosen),
    ]
    try:
        code = subprocess.run([*server, *place], cwd=home, env=environment, check=False).returncode
    except KeyboardInterrupt:
        say("stopped")
        return
    if code > 0:
        raise AlexNetError(
            f"MLflow's server ended with {code}; is port {chosen} taken? Try `alexnet ui` without --port"
        )


def free_port() -> int:
    """Find a port on the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
