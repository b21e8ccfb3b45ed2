"""A Beam runner that ends before its work is done and says nothing, as Dask does when its scheduler goes."""

from apache_beam.runners.runner import PipelineResult, PipelineRunner, PipelineState


class Quitter(PipelineRunner):
    def run_pipeline(self, pipeline, options):
        return PipelineResult(PipelineState.DONE)
