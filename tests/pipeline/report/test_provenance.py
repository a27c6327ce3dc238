import json
from pathlib import Path

import pytest

from hounsfield.pipeline.report.provenance import find_configured_models, provenance_of
from hounsfield.preprocessing.errors import UsageError
from tests.pipeline.scripted import scripted_config


def provenance(config, **options):
    return provenance_of(find_configured_models(config.models), config, **options)


def change(config, task, **values):
    path = Path(getattr(config.models, task)) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_the_threshold_is_that_of_the_model_that_gives_the_final_score(tmp_path):
    config = scripted_config(tmp_path, reducer=True)
    change(config, "reducer", operating_points={"screening": 0.2, "default": 0.7, "strict": 0.8})
    assert provenance(config).score_threshold == 0.7
    assert provenance(scripted_config(tmp_path)).score_threshold == 0.3


def test_a_rater_without_a_segmenter_is_refused(tmp_path):
    config = scripted_config(tmp_path, segmenter=True)
    models = config.models.model_copy(update={"segmenter": None})
    with pytest.raises(UsageError, match=r"models\.rater needs models\.segmenter"):
        provenance(config.model_copy(update={"models": models}))


@pytest.mark.parametrize("values", [{"sha256": "d" * 64}, {"calibration": {"slope": 2.0}}])
def test_a_reducer_behind_another_detector_or_other_scores_is_refused(tmp_path, values):
    config = scripted_config(tmp_path, reducer=True)
    change(config, "detector", **values)
    sentence = "the reducer scripted-reducer belongs to scripted-detector with weights aaaaaaaaaaaa"
    with pytest.raises(UsageError, match=sentence):
        provenance(config)


@pytest.mark.parametrize("task", ["detector", "classifier", "segmenter", "rater"])
@pytest.mark.parametrize("key", ["sha256", "graph_sha256"])
def test_other_weights_or_another_graph_give_another_fingerprint(tmp_path, task, key):
    config = scripted_config(tmp_path, segmenter=True)
    before = provenance(config).fingerprint
    assert provenance(config).fingerprint == before
    change(config, task, **{key: "f" * 64})
    assert provenance(config).fingerprint != before


def test_another_clinical_table_gives_another_fingerprint(tmp_path):
    config = scripted_config(tmp_path)
    known = {
        provenance(config, clinical_sha256=sha256).fingerprint
        for sha256 in (None, "f" * 64, "e" * 64)
    }
    assert len(known) == 3
