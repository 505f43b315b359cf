"""An outside verifier of seals needs `cryptography`, and neither what makes seals nor anything else of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import licence


def test_verifying_needs_nothing_that_makes():
    code = (
        "import sys, licence.seals.verify; "
        "print([m for m in sys.modules if m.split('.')[0] in "
        "{'yaml', 'catalog', 'connectors', 'warehouse', 'hub', 'duckdb', 'pyarrow', 'pandas', 'sqlalchemy'} "
        "or m in {'licence.seals.make', 'licence.seals.encode', 'licence.seals.register', 'licence.authority'}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(licence.__file__).parent.parent,
    )
    assert done.stdout.strip() == "[]"
