"""Every module has its test where one looks for it: tests/ROOM/test_MODULE.py, or one that is named here."""

THROUGH = {
    # Too small or too plain to show anything alone.
    "alexnet_tf/plotting.py": "tests/alexnet_tf/evaluation/test_figures.py",
    "alexnet_tf/stop.py": "tests/alexnet_tf/training/test_loop_resume.py",
    "components/interfaces.py": "tests/components/beam/test_run.py",
    "pipeline/rerun.py": "tests/pipeline/verify/test_kept_result.py",
    # Every test of the room's descriptions goes through all of them.
    "alexnet_tf/models/initial_weights.py": "tests/alexnet_tf/models/test_networks.py",
    "alexnet_tf/models/four_layer_spec.py": "tests/alexnet_tf/models/test_spec.py",
    "alexnet_tf/training/recipe.py": "tests/alexnet_tf/models/test_spec.py",
    # One with the module that calls it: its values show only in what that one makes.
    "alexnet_tf/comparison/drawings.py": "tests/alexnet_tf/comparison/test_page.py",
    "alexnet_tf/evaluation/pictures.py": "tests/alexnet_tf/test_image_classifier.py",
    "alexnet_tf/evaluation/predict.py": "tests/alexnet_tf/test_image_classifier.py",
    "alexnet_tf/evaluation/tables.py": "tests/components/test_evaluate.py",
    "alexnet_tf/sample/difficulty.py": "tests/alexnet_tf/sample/test_generate.py",
    "alexnet_tf/sample/scene.py": "tests/alexnet_tf/sample/test_generate.py",
    "components/validate_shards.py": "tests/components/test_validate.py",
    "pipeline/pages/profiles.py": "tests/pipeline/commands/test_docs.py",
    "pipeline/environment/provenance.py": "tests/pipeline/tracking/test_run_context.py",
    "pipeline/results/report.py": "tests/pipeline/commands/test_report.py",
    "pipeline/verify/sandbox.py": "tests/pipeline/verify/test_kill_test.py",
    "alexnet_tf/export/onnx_runner.py": "tests/alexnet_tf/export/test_onnx_check.py",
    # Needs an exported model, which is made once for all of these.
    "alexnet_tf/export/check.py": "tests/alexnet_tf/export/test_saved_model.py",
    "alexnet_tf/export/keras_file.py": "tests/components/test_export.py",
    "alexnet_tf/export/model_card.py": "tests/components/test_export.py",
    "pipeline/tracking/served_model.py": "tests/alexnet_tf/export/test_saved_model.py",
    "alexnet_tf/export/standalone.py": "tests/alexnet_tf/export/test_saved_model.py",
    "pipeline/tracking/model_registry.py": "tests/pipeline/commands/test_promote.py",
    # A source is tested as a whole: placed files in, images out.
    "components/sources/files.py": "tests/components/sources/test_image_folder.py",
    "components/sources/imagenet2012_labels.py": "tests/components/sources/test_imagenet2012.py",
    "components/sources/sample.py": "tests/components/test_download.py",
    "components/sources/shards.py": "tests/components/test_download.py",
    "components/sources/source.py": "tests/components/sources/test_subset.py",
    "components/sources/tar_members.py": "tests/components/sources/test_imagenet2012.py",
    "components/sources/tiny_imagenet_builder.py": "tests/components/sources/test_tfds_preparation.py",
    "components/sources/wordnet.py": "tests/components/sources/test_imagenet2012.py",
    # Every test of what it calls types the command.
    "pipeline/commands/use.py": "tests/pipeline/config/test_experiments.py",
    "pipeline/commands/verify.py": "tests/pipeline/tracking/test_backfill.py",
    # Needs a repository after `dvc repro`, or MLflow's store, and shows in the rows there.
    "pipeline/stages/dvc_cache.py": "tests/pipeline/tracking/test_backfill.py",
    "pipeline/tracking/mlflow_client.py": "tests/pipeline/tracking/test_tracker.py",
    "pipeline/tracking/mlflow_entities.py": "tests/pipeline/tracking/test_tracker.py",
    "pipeline/tracking/mlflow_server.py": "tests/pipeline/commands/test_ui.py",
    "pipeline/tracking/mlflow_writer.py": "tests/pipeline/tracking/test_tracker.py",
    "pipeline/tracking/run_descriptions.py": "tests/pipeline/tracking/test_backfill.py",
    "pipeline/tracking/spool_reader.py": "tests/pipeline/tracking/test_flush.py",
    "pipeline/tracking/stage_runs.py": "tests/pipeline/tracking/test_backfill.py",
}
"""Module -> the test that runs it, where it has none of its own name."""


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
