"""Events of stages in, runs in MLflow out; the only place of mlflow.

Stages write to the spool and never wait; processes of their own (`uploader`, `flush`, `model_registry`) import mlflow.
"""
