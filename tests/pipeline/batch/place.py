"""An input and an output folder, with an analysis that does what the series' description says."""

from hounsfield.pipeline.batch.ledger import Ledger
from hounsfield.pipeline.batch.progress import Progress
from hounsfield.pipeline.batch.run import run
from hounsfield.pipeline.batch.run_summary import RunOptions
from tests.pipeline.scripted import make_scripted_analyser, scripted_config, write_study


class Place:
    """An input and an output folder, and the runs that lead from one to the other."""

    def __init__(self, folder):
        self.folder, self.input, self.out = folder, folder / "input", folder / "out"
        self.input.mkdir(exist_ok=True)

    def write(self, uid, happens="analysed", *, series=1):
        write_study(self.input / uid / str(series), uid=uid, happens=happens, series=series)

    def run(self, *, config=None, make_analyser=make_scripted_analyser, **options):
        return run(
            [self.input],
            out=self.out,
            config=config or scripted_config(self.folder),
            progress=Progress(quiet=True),
            options=RunOptions(**options),
            make_analyser=make_analyser,
        )

    def rows(self):
        with Ledger(self.out, read_only=True) as ledger:
            return {row.series_uid: row for row in ledger.rows()}

    def calls(self):
        return (self.folder / "calls").read_text().split()

    def report(self, series_uid):
        return self.out / "studies" / series_uid.rsplit(".", 1)[0] / series_uid / "report.json"
