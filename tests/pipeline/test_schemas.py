from pathlib import Path

from hounsfield.pipeline.schemas import write_schemas

SCHEMAS = Path(__file__).parent.parent.parent / "docs" / "schemas"


def test_the_schemas_in_the_documentation_are_those_of_the_code(tmp_path):
    made = {path.name: path.read_text() for path in write_schemas(tmp_path)}
    kept = {path.name: path.read_text() for path in SCHEMAS.iterdir()}
    assert made == kept, "make schemas writes them anew"
