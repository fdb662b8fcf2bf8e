"""The folder that is logged for a version: MLflow's model format written around weights that are copied as they are.

MLflow's own `sentence_transformers.log_model` loads the model and saves it anew, so that the files, and with them the
fingerprint, are others than those that were evaluated; and it infers requirements in a process of its own. What is
written here is read by the same flavour: `mlflow.sentence_transformers.load_model("models:/NAME/VERSION")` works.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

from roggia_runtime.adapters.mlflow_client import FACTS_FILE, WEIGHTS_FOLDER

from roggia_operator.models import tags
from roggia_operator.models.values import Draft

_EXAMPLE = "input_example.json"
_SERVING = "serving_input_example.json"
_REQUIREMENTS = "requirements.txt"
_PYTHON = "python_env.yaml"


def write(folder: Path, draft: Draft) -> None:
    """Everything but the weights. A reference is its facts alone: MLflow itself cannot load it."""
    facts = tags.of_ref(draft.ref)
    (folder / FACTS_FILE).write_text(json.dumps(facts, indent=1, ensure_ascii=False), "utf-8")
    if draft.folder is None:
        return
    (folder / _REQUIREMENTS).write_text("\n".join([*draft.requirements, ""]), "utf-8")
    (folder / _PYTHON).write_text(_python(), "utf-8")
    (folder / _EXAMPLE).write_text(json.dumps(list(draft.example), ensure_ascii=False), "utf-8")
    (folder / _SERVING).write_text(json.dumps({"inputs": list(draft.example)}, ensure_ascii=False), "utf-8")
    _described(draft, facts).save(str(folder / "MLmodel"))


def _described(draft: Draft, facts: dict[str, str]) -> Any:
    from mlflow import pyfunc
    from mlflow.models import Model

    model = Model(artifact_path="model", signature=_signature(draft.ref.dimension), metadata=facts)
    model.saved_input_example_info = {
        "artifact_path": _EXAMPLE, "type": "json_object", "serving_input_path": _SERVING,
    }  # fmt: skip
    pyfunc.add_to_model(model, loader_module="mlflow.sentence_transformers", data=WEIGHTS_FOLDER, python_env=_PYTHON)
    versions = dict(line.split("==", 1) for line in draft.requirements if "==" in line)
    model.add_flavor("sentence_transformers", sentence_transformers_version=versions.get("sentence-transformers", ""))
    return model


def _signature(dimension: int) -> Any:
    """Texts in, rows of `dimension` numbers out: MLflow's own default forgets the dimension."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, Schema, TensorSpec

    return ModelSignature(
        inputs=Schema([ColSpec("string")]), outputs=Schema([TensorSpec(np.dtype("float32"), (-1, dimension))])
    )


def _python() -> str:
    lines = [f"python: {platform.python_version()}", "build_dependencies:", "- pip", "dependencies:"]
    return "\n".join([*lines, f"- -r {_REQUIREMENTS}", ""])
