"""Events of stages in, runs in MLflow out, and event files for TensorBoard; nothing else imports mlflow.

Stages write to the spool and never wait. Only `mlflow_*` and `model_registry` import mlflow, in other processes.
"""
