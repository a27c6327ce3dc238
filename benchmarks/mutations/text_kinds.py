"""Kinds of text: XML of annotations, tables, configurations, manifests."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from benchmarks.mutations.changes import change_bytes, change_number, change_text
from benchmarks.mutations.chest import small_chest_on_disk
from benchmarks.mutations.kinds import Kind, Mutation, Reading

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

_TOKEN = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[A-Za-z_]{3,}")
_ENCODINGS = ("utf-16", "utf-16-be", "utf-32", "utf-8-sig", "cp500", "utf-7")
_MAX_NESTED = 20_000


class TextKind(Kind):
    """Files of text, one of which is changed.

    Attributes:
        hostile: Texts that are put in somewhere, each made to take much time or memory.
    """

    hostile: ClassVar[tuple[str, ...]] = ()

    def mutate(self, rng: Random) -> Mutation:
        """Changes bytes, a number or word (once or everywhere), the encoding or the structure."""
        name = rng.choice(sorted(name for name in self.contents if self.is_changed(name)))
        content = self.contents[name]
        chance = rng.random()
        if chance < 0.35:
            how, changed = change_bytes(content, rng)
            return Mutation({name: changed}, f"bytes of {name}", how)
        text = content.decode()
        if chance < 0.8:
            how, text = _changed_token(text, rng)
            return Mutation({name: text.encode("latin-1", "replace")}, f"tokens of {name}", how)
        if chance < 0.88:
            encoding = rng.choice(_ENCODINGS)
            return Mutation({name: text.encode(encoding)}, f"encoding of {name}", encoding)
        lines = text.split("\n")
        at = rng.randrange(len(lines))
        if chance < 0.94 or not self.hostile:
            how = rng.choice(("line removed", "line doubled", "line moved"))
            line = lines[at] if how == "line doubled" else lines.pop(at)
            if how != "line removed":
                lines.insert(rng.randrange(len(lines) + 1), line)
            return Mutation({name: "\n".join(lines).encode()}, f"lines of {name}", how)
        lines.insert(rng.choice((0, at)), rng.choice(self.hostile))
        return Mutation({name: "\n".join(lines).encode()}, f"lines of {name}", "hostile line")

    def is_changed(self, name: str) -> bool:
        """Whether a file is one that may be changed.

        Args:
            name: Its name in the folder.
        """
        return bool(name)


class LidcKind(TextKind):
    """The readings of LIDC-IDRI."""

    name = "lidc-xml"
    share = 3_500
    hostile = (
        '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>',
        "<a>" * _MAX_NESTED,
        "<edgeMap><xCoord>1e9</xCoord><yCoord>-1e9</yCoord></edgeMap>",
    )

    def files(self) -> dict[str, bytes]:
        """Two readers' outlines of one nodule on three images, and a mark without outline."""
        uids = image_uids()
        rois = "\n".join(
            f"<roi>\n<imageSOP_UID>{uid}</imageSOP_UID>\n<inclusion>TRUE</inclusion>\n"
            + "\n".join(
                f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>"
                for x, y in ((20, 30), (25, 30), (25, 35), (20, 35), (20, 30))
            )
            + "\n</roi>"
            for uid in uids[3:6]
        )
        ratings = "".join(
            f"<{name}>3</{name}>" for name in ("malignancy", "texture", "calcification")
        )
        session = (
            "<readingSession>\n<unblindedReadNodule><noduleID>1</noduleID>\n"
            f"<characteristics>{ratings}</characteristics>\n{rois}\n</unblindedReadNodule>\n"
            f"<nonNodule><nonNoduleID>2</nonNoduleID><imageSOP_UID>{uids[2]}</imageSOP_UID>\n"
            "<locus><xCoord>40</xCoord><yCoord>31</yCoord></locus></nonNodule>\n</readingSession>\n"
        )
        uid = small_chest_on_disk().series.series_uid
        xml = (
            '<?xml version="1.0"?>\n<LidcReadMessage xmlns="http://www.nih.gov">\n'
            f"<ResponseHeader>\n<SeriesInstanceUid>{uid}</SeriesInstanceUid>\n</ResponseHeader>\n"
            f"{session * 3}</LidcReadMessage>\n"
        )
        return {"readings.xml": xml.encode()}

    def read(self, folder: Path) -> Reading:
        """Reads the marks and makes findings of them."""
        from hounsfield.data.readers.lidc_idri import known_labels
        from hounsfield.data.readers.lidc_xml import read_lidc_xml

        readings = read_lidc_xml(folder / "readings.xml")
        if readings is not None:
            known_labels(readings, small_chest_on_disk())
        return Reading()


class VocKind(TextKind):
    """Boxes in Pascal VOC's form."""

    name = "voc-xml"
    share = 2_500
    hostile = LidcKind.hostile

    def files(self) -> dict[str, bytes]:
        """Two boxes on one image."""
        box = (
            "<object>\n<name>A</name>\n<bndbox>\n<xmin>20</xmin><ymin>21</ymin>\n"
            "<xmax>30</xmax><ymax>33</ymax>\n</bndbox>\n</object>\n"
        )
        xml = f'<annotation verified="no">\n{box * 2}</annotation>\n'
        return {f"{image_uids()[4]}.xml": xml.encode()}

    def read(self, folder: Path) -> Reading:
        """Reads the boxes and makes lesions of them."""
        from hounsfield.data.readers.lung_pet_ct_dx import boxed_lesions, read_boxes

        [name] = self.contents
        boxed_lesions(read_boxes(folder / name), small_chest_on_disk())
        return Reading()


class TablesKind(TextKind):
    """Tables of findings, of patients and of series."""

    name = "tables"
    share = 3_000
    hostile = ('"' + "x,\n" * 1000, "1e999,1e999,1e999,1e999,1e999", "a" * 200_000)

    def files(self) -> dict[str, bytes]:
        """One table in each form."""
        findings = "seriesuid,coordX,coordY,coordZ,diameter_mm\n" + "".join(
            f"1.2.{i},-{10 + i}.5,{20 + i}.25,-1200.125,{4 + i}.5\n" for i in range(6)
        )
        candidates = "seriesuid,coordX,coordY,coordZ,class\n" + "".join(
            f"1.2.{i},-{10 + i}.5,{20 + i}.25,-1200.125,{i % 2}\n" for i in range(6)
        )
        listed = (
            "path,patient_id,fold,x_mm,y_mm,z_mm,diameter_mm,malignancy\n"
            "chest.mha,P1,0,-10.5,20.25,-1180.5,6.5,4\nchest.mha,P1,0,-40.5,0.25,-1190.5,7.5,\n"
        )
        clinical = "patient_id,age,sex,smoker\nP1,63,female,yes\nP2,71.5,m,no\n"
        histology = "PatientID,age,Histology\nLUNG1-001,63,adenocarcinoma\nLUNG1-002,70,nos\n"
        tables = {
            "annotations.csv": findings,
            "candidates.csv": candidates,
            "listed.csv": listed,
            "clinical.csv": clinical,
            "histology/lung1.csv": histology,
        }
        from benchmarks.mutations.volume_files import LocalMetaImageKind

        contents = {name: text.encode() for name, text in tables.items()}
        return {**contents, **LocalMetaImageKind().files()}

    def is_changed(self, name: str) -> bool:
        """The tables, not the volume."""
        return name.endswith(".csv")

    def read(self, folder: Path) -> Reading:
        """Reads each table as its command does."""
        from hounsfield.data.readers.ct_table import read_ct_table
        from hounsfield.data.readers.luna16 import read_candidates, read_findings
        from hounsfield.data.readers.nsclc_radiomics import read_histology
        from hounsfield.pipeline.assessment.clinical_table import read_clinical

        read_findings(folder / "annotations.csv", ignored=False)
        read_candidates(folder)
        read_ct_table(folder / "listed.csv")
        read_clinical(folder / "clinical.csv")
        read_histology(folder / "histology")
        return Reading()


@cache
def image_uids() -> tuple[str, ...]:
    """SOPInstanceUID of each slice of the small chest."""
    return tuple(frame.sop_instance_uid for frame in small_chest_on_disk().source_frames)


def _changed_token(text: str, rng: Random) -> tuple[str, str]:
    """Changes a number or a word, there alone or wherever it stands."""
    tokens = list(_TOKEN.finditer(text))
    token = rng.choice(tokens)
    word = token.group()
    how, changed = (change_number if word[-1].isdigit() else change_text)(word, rng)
    if rng.random() < 0.3:
        return f"{how} everywhere", re.sub(rf"\b{re.escape(word)}\b", lambda _: changed, text)
    return how, text[: token.start()] + changed + text[token.end() :]
