import pytest
from jinja2 import UndefinedError

from hounsfield.pipeline.report import templating


def test_templates_are_compiled_once_in_a_process():
    first = templating.environment()
    assert templating.environment() is first
    name = "report/templates/report.html.jinja"
    assert first.get_template(name) is first.get_template(name)


def test_a_missing_variable_is_an_error():
    with pytest.raises(UndefinedError, match="research_use"):
        templating.render_template("report/templates/index.html.jinja", rows=(), hidden=0)
