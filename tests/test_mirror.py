"""Every module has its test where one looks for it: tests/ROOM/test_MODULE.py, or one that is named here."""

THROUGH = {
    "alexnet_tf/comparison/charts.py": "tests/alexnet_tf/comparison/test_page.py",
    "alexnet_tf/comparison/figures.py": "tests/alexnet_tf/evaluation/test_figures.py",
    "alexnet_tf/comparison/tables.py": "tests/alexnet_tf/comparison/test_compare.py",
    "alexnet_tf/data/tf_example.py": "tests/alexnet_tf/data/test_tfrecord.py",
    "alexnet_tf/devices/inference.py": "tests/alexnet_tf/evaluation/test_evaluate.py",
    "alexnet_tf/devices/processor.py": "tests/alexnet_tf/devices/test_precision.py",
    "alexnet_tf/errors.py": "tests/pipeline/test_cli.py",
    "alexnet_tf/evaluation/compression.py": "tests/pipeline/commands/test_predict.py",
    "alexnet_tf/evaluation/predict.py": "tests/pipeline/commands/test_predict.py",
    "alexnet_tf/evaluation/tables.py": "tests/components/test_evaluate.py",
    "alexnet_tf/export/check.py": "tests/alexnet_tf/export/test_saved_model.py",
    "alexnet_tf/export/keras_file.py": "tests/alexnet_tf/test_applications.py",
    "alexnet_tf/export/model_card.py": "tests/components/test_export.py",
    "alexnet_tf/export/served_model.py": "tests/alexnet_tf/export/test_saved_model.py",
    "alexnet_tf/export/standalone.py": "tests/alexnet_tf/export/test_saved_model.py",
    "alexnet_tf/metrics/correctness.py": "tests/alexnet_tf/export/test_gate.py",
    "alexnet_tf/metrics/top_k.py": "tests/alexnet_tf/evaluation/test_evaluate.py",
    "alexnet_tf/models/alexnet.py": "tests/alexnet_tf/models/test_networks.py",
    "alexnet_tf/models/alexnet_bn.py": "tests/alexnet_tf/models/test_networks.py",
    "alexnet_tf/models/four_layer_spec.py": "tests/alexnet_tf/models/test_spec.py",
    "alexnet_tf/models/layer_table.py": "tests/alexnet_tf/models/test_specs.py",
    "alexnet_tf/nearest.py": "tests/pipeline/config/test_load.py",
    "alexnet_tf/plotting.py": "tests/alexnet_tf/evaluation/test_figures.py",
    "alexnet_tf/random_streams.py": "tests/alexnet_tf/models/test_views.py",
    "alexnet_tf/sample/difficulty.py": "tests/alexnet_tf/sample/test_generate.py",
    "alexnet_tf/sample/scene.py": "tests/alexnet_tf/sample/test_generate.py",
    "alexnet_tf/sample/toy.py": "tests/alexnet_tf/sample/test_generate.py",
    "alexnet_tf/stop.py": "tests/alexnet_tf/training/test_loop.py",
    "alexnet_tf/training/ema.py": "tests/alexnet_tf/training/test_step.py",
    "alexnet_tf/training/history.py": "tests/alexnet_tf/training/test_checkpoint.py",
    "alexnet_tf/training/recipe.py": "tests/alexnet_tf/models/test_spec.py",
    "alexnet_tf/validation/drift.py": "tests/components/test_validate.py",
    "alexnet_tf/validation/metadata_protos.py": "tests/components/test_validate.py",
    "alexnet_tf/validation/report.py": "tests/components/test_validate.py",
    "components/beam/worker.py": "tests/components/beam/test_run.py",
    "components/interfaces.py": "tests/components/beam/test_run.py",
    "components/preprocess_shards.py": "tests/components/test_preprocess.py",
    "components/sources/files.py": "tests/components/sources/test_image_folder.py",
    "components/sources/imagenet2012_labels.py": "tests/components/sources/test_imagenet2012.py",
    "components/sources/sample.py": "tests/components/test_download.py",
    "components/sources/shards.py": "tests/components/test_validate.py",
    "components/sources/source.py": "tests/components/sources/test_subset.py",
    "components/sources/tar_members.py": "tests/components/sources/test_imagenet2012.py",
    "components/sources/tfds.py": "tests/components/sources/test_tfds_preparation.py",
    "components/sources/tiny_imagenet.py": "tests/components/sources/test_tfds_preparation.py",
    "components/sources/wordnet.py": "tests/components/sources/test_imagenet2012.py",
    "components/validate_shards.py": "tests/components/test_validate.py",
    "pipeline/commands/base.py": "tests/pipeline/test_cli.py",
    "pipeline/commands/convert.py": "tests/pipeline/test_cli.py",
    "pipeline/commands/health.py": "tests/pipeline/commands/test_doctor.py",
    "pipeline/commands/image_files.py": "tests/pipeline/commands/test_predict.py",
    "pipeline/commands/kept_checkpoints.py": "tests/pipeline/commands/test_doctor.py",
    "pipeline/commands/params.py": "tests/test_conformance.py",
    "pipeline/commands/report.py": "tests/pipeline/results/test_revisions.py",
    "pipeline/commands/results.py": "tests/pipeline/results/test_figure1.py",
    "pipeline/commands/setup.py": "tests/pipeline/commands/test_doctor.py",
    "pipeline/commands/stages.py": "tests/pipeline/test_cli.py",
    "pipeline/commands/summary.py": "tests/pipeline/test_cli.py",
    "pipeline/commands/track.py": "tests/pipeline/tracking/test_backfill.py",
    "pipeline/commands/use.py": "tests/pipeline/config/test_experiments.py",
    "pipeline/commands/verify.py": "tests/pipeline/tracking/test_backfill.py",
    "pipeline/config/errors.py": "tests/pipeline/config/test_load.py",
    "pipeline/config/schema.py": "tests/pipeline/config/test_load.py",
    "pipeline/environment/git.py": "tests/pipeline/tracking/test_tracker.py",
    "pipeline/environment/os_errors.py": "tests/pipeline/test_cli.py",
    "pipeline/environment/processes.py": "tests/pipeline/tracking/test_flush.py",
    "pipeline/environment/provenance.py": "tests/pipeline/tracking/test_tracker.py",
    "pipeline/environment/workspace.py": "tests/pipeline/commands/test_doctor.py",
    "pipeline/environment/yaml_file.py": "tests/pipeline/config/test_load.py",
    "pipeline/pages/dvc_yaml.py": "tests/pipeline/config/test_source_state.py",
    "pipeline/pages/profiles.py": "tests/test_docs.py",
    "pipeline/rerun.py": "tests/pipeline/tracking/test_backfill.py",
    "pipeline/results/pretrained.py": "tests/pipeline/commands/test_predict.py",
    "pipeline/results/report.py": "tests/pipeline/results/test_revisions.py",
    "pipeline/stages/claims.py": "tests/test_claim.py",
    "pipeline/stages/dvc_cache.py": "tests/pipeline/tracking/test_backfill.py",
    "pipeline/stages/fingerprint.py": "tests/pipeline/commands/test_doctor.py",
    "pipeline/stages/import_graph.py": "tests/pipeline/stages/test_table.py",
    "pipeline/stages/lock.py": "tests/pipeline/results/test_expected.py",
    "pipeline/stages/outputs.py": "tests/pipeline/test_runner.py",
    "pipeline/tracking/mlflow_client.py": "tests/pipeline/tracking/test_tracker.py",
    "pipeline/tracking/mlflow_entities.py": "tests/pipeline/tracking/test_tracker.py",
    "pipeline/tracking/mlflow_server.py": "tests/pipeline/commands/test_ui.py",
    "pipeline/tracking/mlflow_writer.py": "tests/pipeline/tracking/test_tracker.py",
    "pipeline/tracking/model_registry.py": "tests/pipeline/commands/test_promote.py",
    "pipeline/tracking/parent_runs.py": "tests/pipeline/tracking/test_backfill.py",
    "pipeline/tracking/spool.py": "tests/pipeline/tracking/test_flush.py",
    "pipeline/tracking/spool_reader.py": "tests/pipeline/tracking/test_flush.py",
    "pipeline/tracking/stage_runs.py": "tests/pipeline/tracking/test_backfill.py",
    "pipeline/tracking/tracking_uri.py": "tests/pipeline/tracking/test_flush.py",
    "pipeline/tracking/uploader.py": "tests/pipeline/tracking/test_uploads.py",
    "pipeline/verify/sandbox.py": "tests/pipeline/verify/test_kill_test.py",
}
"""Module -> the test that runs it, where it has none of its own name: it is small, or shows only through another."""


def test_every_module_has_a_test_in_its_place(root):
    for package in ("alexnet_tf", "components", "pipeline"):
        for path in (root / package).rglob("*.py"):
            module = path.relative_to(root)
            if module.name in ("__init__.py", "__main__.py"):
                continue
            own = "tests" / module.with_name(f"test_{module.name}")
            if module.as_posix() in THROUGH:
                assert not (root / own).exists(), f"{own} is there: take {module} out of THROUGH"
            else:
                assert (root / own).is_file(), (
                    f"{module} has no {own}; write it, or name in THROUGH the test that runs it"
                )


def test_the_tests_that_are_named_are_there(root):
    for module, test in THROUGH.items():
        assert (root / module).is_file(), f"{module} is gone: take it out of THROUGH"
        assert (root / test).is_file(), f"{test}, which THROUGH names for {module}, is gone"


def test_every_test_of_a_room_has_its_room(root):
    for path in (root / "tests").rglob("test_*.py"):
        room = path.relative_to(root / "tests").parent
        if room.parts and room.parts[0] in ("alexnet_tf", "components", "pipeline"):
            assert (root / room).is_dir(), f"{path.relative_to(root)} tests no room: there is no folder {room}"
