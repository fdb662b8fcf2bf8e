"""Models in a registry: versions, aliases, and what they ask of index generations and of guard.

`values tags evidence canary reconciling` are pure; `poller` looks and wishes; `webhook` wakes it; `adapters/mlflow`
speaks to MLflow.
"""
