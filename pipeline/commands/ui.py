"""`alexnet ui`: MLflow's pages over the runs of this repository."""

import getpass
import os
import socket

import click

from alexnet_tf.errors import AlexNetError
from pipeline.commands.base import Command, example, say

_HELP = f"""Serve MLflow's pages on this machine until Ctrl-C, and open the comparison of the variants.

Other machines cannot reach the pages; from there, forward the port with the printed ssh command. If MLFLOW_TRACKING_URI
names a server, its address is printed and nothing is started.

{example("alexnet ui", "alexnet ui --port 5001 --no-browser")}"""


@click.command("ui", cls=Command, help=_HELP, short_help="Open MLflow with all runs.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port; by default a free one.")
@click.option("--browser/--no-browser", default=None, help="Open a browser; by default if there is a screen.")
def command(port: int | None, browser: bool | None) -> None:
    """Start MLflow's server and print its address."""
    from pipeline.config.load import workspace_and_config
    from pipeline.tracking.backfill import complete
    from pipeline.tracking.mlflow_server import comparison_path, serve
    from pipeline.tracking.origins import current_data_set
    from pipeline.tracking.tracking_uri import is_server, tracking_uri, without_password
    from pipeline.tracking.uploads import kept_sentence

    workspace, config = workspace_and_config()
    uri, data_set = tracking_uri(workspace.home), current_data_set(workspace.root)
    chosen = None if is_server(uri) else _usable(port)
    if problem := complete(workspace, config):
        say(kept_sentence(problem))
    if chosen is None:
        click.echo(f"MLFLOW_TRACKING_URI is set, so no server is started here: the runs are at {without_password(uri)}")
        return

    def ready(address: str) -> None:
        page = f"{address}/{comparison_path(uri, workspace.home, data_set)}"
        click.echo(f"faithful against optimized: {page}")
        click.echo(f"all of MLflow:              {address}")
        click.echo(
            f"from another machine:       ssh -N -L {chosen}:127.0.0.1:{chosen} {_login()}, then the same address"
        )
        click.echo("press Ctrl-C to stop")
        if browser or (browser is None and _has_screen()):
            click.launch(page)

    say("MLflow is starting; the first time takes half a minute")
    serve(uri, workspace.home, chosen, ready)
    say("stopped")


def _usable(port: int | None) -> int:
    """Take `port`, or a free one of the loopback interface.

    Raises:
        AlexNetError: Something listens on `port`, or it is not for this user.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that has just ended does not count
        try:
            probe.bind(("127.0.0.1", port or 0))
        except OSError as error:
            raise AlexNetError(
                f"--port {port}: {(error.strerror or str(error)).lower()}; leave --port out for a free one"
            ) from None
        return probe.getsockname()[1]


def _has_screen() -> bool:
    return os.isatty(1) and any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "TERM_PROGRAM"))


def _login() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # nobody, as in a container with a number alone
        user = "USER"
    return f"{user}@{socket.gethostname()}"
