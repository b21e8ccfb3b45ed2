"""The stages of the pipeline, one module each.

Every stage module has the same four names: frozen dataclasses `Inputs` and `Outputs` whose fields are
`pathlib.Path`, a frozen pydantic model `Params`, and `run(inputs, outputs, params, runtime) -> None`.
What a stage has to say stands in the files named by `Outputs`; `Params` change the result, `Runtime` does not.
"""
