"""`Runs` in MLflow 3, in an experiment of their own: what stands there is looked at, and decides nothing."""

from __future__ import annotations

from roggia_runtime.adapters.mlflow_client import MlflowConnection, speaking

from roggia_operator.evaluation.ports import Run
from roggia_operator.models.adapters.mlflow import experiment, metric_name

EXPERIMENT = "roggia-shadow"


class MlflowRuns:
    """See `Runs`. `uri` is `sqlite:///FILE` or the address of an MLflow server."""

    def __init__(self, uri: str) -> None:
        self._at = MlflowConnection(uri)

    def file(self, run: Run) -> str:
        """See `Runs`. A run that failed midway is marked as failed."""
        client = self._at.client
        with speaking(run.title):
            made = client.create_run(experiment(self._at, EXPERIMENT), run_name=run.title, tags=dict(run.tags))
            run_id, ended = str(made.info.run_id), "FAILED"
            try:
                for name, value in run.metrics.items():
                    client.log_metric(run_id, metric_name(name), value)
                for name, text in run.files.items():
                    client.log_text(run_id, text, name)
                ended = "FINISHED"
            finally:
                client.set_terminated(run_id, ended)
        return run_id
