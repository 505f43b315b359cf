"""The newest checkpoint that enough witnesses cosigned, kept in ``checkpoint.witnessed`` beside the published one.

A busy log has published the next checkpoint before the last one's cosignatures are in; whoever demands witnesses is
content with one that is some seconds older. Gathering cosignatures is left to the callers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import tree
from .errors import CheckpointInvalidError, ProofInvalidError
from .files import replace_files
from .tiles import TileFolder

if TYPE_CHECKING:
    from pathlib import Path

    from .checkpoint import Checkpoint
    from .verifiers import Trust

FILE: Final = "checkpoint.witnessed"


def keep_witnessed(folder: Path, note: str) -> None:
    """Put *note* in the place of the one that was kept. A crash leaves either of them. One caller at a time.

    Raises:
        StorageFullError, StorageFailedError: the older one is still there.
    """
    replace_files([(folder / FILE, note.encode())])


def find_witnessed(folder: Path, trust: Trust) -> tuple[str, Checkpoint]:
    """The newest checkpoint in *folder* that *trust* accepts, its quorum included, as signed note and opened.

    Raises:
        CheckpointInvalidError: there is none.
    """
    refused = CheckpointInvalidError(problem="no checkpoint can be read")
    for name in ("checkpoint", FILE):
        try:
            note = (folder / name).read_bytes().decode()
            return note, trust.open(note)
        except CheckpointInvalidError as error:
            refused = error
        except (OSError, UnicodeDecodeError):
            continue
    raise refused


def check_witnessed(folder: Path, current: Checkpoint, trust: Trust) -> Checkpoint:
    """What `find_witnessed` finds, once the tree of *current*, whose tiles are right, is seen to hold it.

    Raises:
        CheckpointInvalidError: there is none, or of another log.
        ProofInvalidError: what the witnesses cosigned is not the beginning of this tree: there are two histories.
        LogDamagedError: a tile is missing.
    """
    found = find_witnessed(folder, trust)[1]
    if found.origin != current.origin:
        raise CheckpointInvalidError(problem=f"the witnessed one is of `{found.origin}`")
    if found.size > current.size:
        raise ProofInvalidError(problem=f"the witnesses saw {found.size} entries and there are {current.size}")
    if tree.root_at(found.size, TileFolder(folder).reader(current.size)) != found.root:
        raise ProofInvalidError(problem=f"the witnesses saw another tree at size {found.size}")
    return found
