"""Events of stages in, runs in MLflow out, and event files for TensorBoard; no other room imports mlflow.

Stages write to the spool and wait for no server. `mlflow_*`, `model_registry`, `served_model` and what `flush` calls
import mlflow, in processes that are no stage's.
"""
