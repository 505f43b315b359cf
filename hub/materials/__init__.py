"""E-materials (电子材料库): papers that are no licences, taken in once, with provenance, and reused later.

`hub.materials.desk` is what departments do, `content` what a file is, `files` where it lies, `rows` what is known,
`store` how long the two are kept and whether they agree.
The pure rules are `licence.materials`, judging a file by its record `licence.material_bundle`.
"""

from __future__ import annotations

from hub.materials.desk import Materials, Paper, Use
from hub.materials.store import StoreReport

__all__ = ["Materials", "Paper", "StoreReport", "Use"]
