import pytest
import yaml

from hounsfield.pipeline.config import CONFIGS_FOLDER, load_config
from hounsfield.preprocessing.errors import UsageError


def test_a_file_need_only_hold_what_differs(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("detection: {operating_point: strict}")
    config, default = load_config(str(path)), load_config()
    assert config.detection.operating_point == "strict"
    assert config.detection.max_findings == default.detection.max_findings
    assert config.models == default.models


def test_every_default_is_visible_in_the_default_file():
    values = yaml.safe_load((CONFIGS_FOLDER / "default.yaml").read_text())
    assert load_config().model_dump(mode="json") == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("detection: {operating_pont: strict}", "operating_pont: unknown key"),
        ("detection: {max_findings: -1}", "detection.max_findings: .* got -1"),
        ("detection: [", "not YAML"),
        ("just a sentence", "must hold keys with values"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_value(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_config(str(path))


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match="one of: default, monai_luna16; got 'nightly'"):
        load_config("nightly")


def test_execution_settings_do_not_change_the_configuration_hash():
    assert load_config(workers=2).sha256() == load_config().sha256()
