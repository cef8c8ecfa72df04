"""The command `catalogue` on a local Ray cluster; run by test_ray_data.

In the first of two runs, a file is in the place of an output folder; it is removed before the second run.
"""

import sys
from pathlib import Path

from ray.cluster_utils import Cluster

from igr_core.cli.app import app


def main(blocked: str, *words: str) -> None:
    """Run the command twice, and print its exit codes; the file `blocked` is removed in between."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    try:
        for _ in range(2):
            try:
                app(["catalogue", *words, "--ray", cluster.address, "--workers", "1"])
            except SystemExit as end:
                sys.stdout.write(f"exit {end.code}\n")
            if Path(blocked).is_file():
                Path(blocked).unlink()
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
