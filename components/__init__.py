"""The stages of the pipeline, one module each, and what they share.

Every stage module has the same four names: frozen dataclasses `Inputs` and `Outputs` whose fields are
`pathlib.Path`, a frozen pydantic model `Params`, and `run(inputs, outputs, params, runtime) -> str`.
The result of a stage is in the files named by `Outputs`; what `run` returns is one line for a person: what it found.
`Params` change the result, `Runtime` does not.
"""
