"""The command line as a whole."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_help_comes_without_loading_torch():
    code = "import sys, igr_core.cli.app; sys.exit('torch' in sys.modules or 'diffusers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
    result = subprocess.run(
        [sys.executable, "-m", "igr_core", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0 and all(word in result.stdout for word in ("restore", "mask", "inspect"))
