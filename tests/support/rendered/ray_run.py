"""Rendering on a local cluster of two nodes, one of which is lost halfway; run by test_ray_engine."""

import logging
import sys
import threading
import time
from pathlib import Path

from ray.cluster_utils import Cluster

from tests.support.rendered import stand_in
from training.data.rendered.base.settings import RenderSettings
from training.data.rendered.generating.generate import generate

TINY = RenderSettings(size=stand_in.SIZE, photos=2)


def lose(cluster: Cluster, node: object, notes: Path) -> None:
    """Remove the node while one of its workers is in the middle of a record."""
    while not list(notes.glob("hangs-*")):
        time.sleep(0.05)
    cluster.remove_node(node, allow_graceful=False)


def main(out: str, notes: str) -> None:
    """Render 24 seeds into `out` while a node is lost; workers record their seeds in `notes`."""
    logging.disable(logging.WARNING)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "env_vars": {"STAND_IN_NOTES": notes}})
    node = cluster.add_node(num_cpus=2, env_vars={"STAND_IN_NOTES": notes, "STAND_IN_LOST": "1"})
    cluster.wait_for_nodes()
    threading.Thread(target=lose, args=(cluster, node, Path(notes)), daemon=True).start()
    try:
        generate(out, range(24), TINY, ray=cluster.address, per_shard=6, maker=stand_in.hanging_record)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
