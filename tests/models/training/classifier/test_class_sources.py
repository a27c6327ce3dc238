import numpy as np
import pytest

from hounsfield.data.prepared.case import KnownFinding, PreparedCase
from hounsfield.models.training.classifier.class_sources import describe_class_sources
from hounsfield.models.training.engine.configuration import DataConfig
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume
from tests.models.training.prepared_folder import write_prepared_folder

CANCER, NORMAL = "adenocarcinoma", "normal"


def a_case(uid, histologies):
    lung = np.full((24, 24, 24), RIGHT_LUNG, np.uint8)
    hu = np.random.default_rng(1).integers(-900, -800, lung.shape).astype(np.int16)
    findings = tuple(KnownFinding((12.0, 12.0, 12.0), 4.0, histology=name) for name in histologies)
    volume = WorkingVolume(hu, lung, lung > 0, np.eye(4))
    return PreparedCase(uid, uid, volume, findings, synthetic=False)


@pytest.mark.parametrize(
    ("lidc", "class_folders", "sentence"),
    [
        (
            [CANCER, NORMAL],
            [NORMAL],
            "Cancers and normal findings are in the same series (LIDC-IDRI).",
        ),
        (
            [CANCER],
            [NORMAL],
            "CANCERS COME FROM LIDC-IDRI ONLY AND NORMALS FROM volumes in a folder",
        ),
        ([CANCER], [], "CANCERS COME FROM LIDC-IDRI ONLY AND NORMALS FROM volumes in a folder"),
        ([CANCER], [CANCER], "ONLY AND NORMALS FROM nowhere ONLY"),
    ],
)
def test_the_sources_of_cancers_and_normals_are_named(tmp_path, lidc, class_folders, sentence):
    contents = {"lidc-idri": lidc, "class-folders": class_folders}
    for dataset, histologies in contents.items():
        cases = [a_case(f"{dataset}.{fold}", histologies) for fold in range(3)]
        write_prepared_folder(tmp_path / dataset, dataset, cases)
    data = DataConfig(cases=tuple(tmp_path / dataset for dataset in contents))
    first, second = describe_class_sources(data)
    assert sentence in first
    assert second.endswith("without are too few.")


def test_without_cancers_there_is_nothing_to_describe(tmp_path):
    cases = [a_case(str(fold), [NORMAL]) for fold in range(3)]
    write_prepared_folder(tmp_path, "lidc-idri", cases)
    assert describe_class_sources(DataConfig(cases=(tmp_path,))) == ()
