"""`alexnet params`: params.yaml as the stages get it."""

import json

import click

from pipeline.commands.base import Command, as_json, example, overrides

_HELP = f"""Check params.yaml and print it with the values of its profiles.

{example("alexnet params -S variants.faithful.profile=paper", "alexnet params --schema")}"""


@click.command("params", cls=Command, help=_HELP, short_help="Check params.yaml and print its resolved values.")
@overrides
@as_json
@click.option("--schema", is_flag=True, help="Print the JSON Schema of params.yaml for editors.")
def command(overrides: tuple[str, ...], as_json: bool, schema: bool) -> None:
    """Print the parameters or their schema."""
    if schema:
        click.echo(schema_text(), nl=False)
        return
    from pipeline.config.load import workspace_and_config
    from pipeline.config.local_params import LOCAL_FILE
    from pipeline.environment.dotted import words

    _, config = workspace_and_config(overrides)
    if as_json:
        click.echo(json.dumps(config.values, indent=1))
        return
    for key, value in words(config.values).items():
        click.echo(f"{key}: {value}{f'  # {LOCAL_FILE}' if key in config.local else ''}")


def schema_text() -> str:
    """The content of docs/params.schema.json."""
    from pipeline.config.schema import json_schema

    return json.dumps(json_schema(), indent=1, sort_keys=True) + "\n"
