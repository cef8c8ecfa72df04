"""A catalogue run on a local Ray cluster of two nodes; run by test_ray_data.

Workers crash on the garment `poison` whenever it is tried, and once on the garment `killed`. With `lose`, a node is
lost once garments are written.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ray.cluster_utils import Cluster

from igr_core.catalogue.engine.ray_data import Block, RestoringActor, run_on_ray
from igr_core.catalogue.report.report import Report
from igr_core.catalogue.run import plan, run
from igr_core.catalogue.settings import GARMENTS, Output
from igr_core.catalogue.table.items import items_of
from igr_core.catalogue.table.rows import read_table
from tests.support.catalogue.table import quick_settings

NOTES = "CATALOGUE_NOTES"
"""Environment variable with the folder of notes on what happened."""


class Deadly(RestoringActor):
    """Crashes on some garments."""

    def __call__(self, block: Block) -> Block:
        """Restore a batch, or crash while it does."""
        before = self._restoring._restore_all

        def restore(given: Sequence) -> list:
            names = {one.name for one in given}
            note = Path(os.environ[NOTES]) / "killed"
            if "poison" in names or ("killed" in names and not note.exists()):
                if "killed" in names:
                    note.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return before(given)

        self._restoring._restore_all = restore  # type: ignore[method-assign]
        try:
            return super().__call__(block)
        finally:
            self._restoring._restore_all = before  # type: ignore[method-assign]


def lose(cluster: Cluster, node: object, garments: Path, notes: Path) -> None:
    """Remove the node once some garments are written, and note how many were."""
    while not garments.is_dir() or len(list(garments.iterdir())) < 4:
        time.sleep(0.05)
    cluster.remove_node(node, allow_graceful=False)
    (notes / "lost").write_text(str(len(list(garments.iterdir()))))


def main(table: str, bundle: str, out: str, notes: str, *how: str) -> None:
    """Run the catalogue of `table` into `out`, in batches of 4."""
    logging.disable(logging.WARNING)
    settings = quick_settings(Path(bundle), batch=4, evidence=False)
    output = Output(out)
    environment = {NOTES: notes}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "env_vars": environment})
    node = cluster.add_node(num_cpus=2, env_vars=environment)
    cluster.wait_for_nodes()
    if "lose" in how:
        threading.Thread(target=lose, args=(cluster, node, Path(out) / GARMENTS, Path(notes)), daemon=True).start()
    report = Report(output)
    todo = plan(items_of(read_table(table).rows), report, settings)
    try:
        run(
            todo,
            report,
            output,
            lambda items: run_on_ray(items, settings, output, cluster.address, 2, restoring=Deadly),
            "test",
            lambda outcome: sys.stdout.write(f"{outcome.name}: {outcome.status}\n"),
        )
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
