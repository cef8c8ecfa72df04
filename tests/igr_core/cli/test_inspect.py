"""The command `inspect` shows the contents of a bundle."""

import json
from pathlib import Path

from tests.support.cli_kit import fails, invoke


def test_inspect(stub: Path):
    result = invoke("inspect", stub)
    assert result.exit_code == 0
    for word in ("tiny", "garmnet", "Apache-2.0", "native_size", "48, 64", "ssim", "0.25", "not included (not named)"):
        assert word in result.stdout
    facts = json.loads(invoke("inspect", stub, "--json").stdout)
    assert facts["name"] == "tiny" and facts["scores"] == {"ssim": 0.25}
    fails(invoke("inspect", stub.with_name("none.safetensors")), 1, "none.safetensors does not exist")
