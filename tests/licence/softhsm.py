"""A SoftHSM token for the tests of a process: its library reads its configuration once, so that there is one token."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

MODULE = next((p for p in Path("/usr/lib").glob("**/softhsm/libsofthsm2.so")), None)
PIN = "483920"


def missing():
    """Why no token can be had here, or None."""
    try:
        import pkcs11  # noqa: F401 - whether it is there is all that is asked
    except ImportError:
        return "python-pkcs11 (the extra `hsm`) is not installed"
    return None if MODULE else "SoftHSM is not installed (Debian package softhsm2)"


@functools.cache
def token():
    """The address of a P-256 key in the process's token, which holds a P-384 key under `other`, too."""
    import pkcs11

    folder = Path(tempfile.mkdtemp(prefix="softhsm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "tokens").mkdir()
    (folder / "conf").write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(folder / "conf")
    made = ["softhsm2-util", "--init-token", "--free", "--label", "city seal", "--so-pin", "1234567", "--pin", PIN]
    subprocess.run(made, check=True, capture_output=True)
    with pkcs11.lib(str(MODULE)).get_token(token_label="city seal").open(rw=True, user_pin=PIN) as session:
        for label, curve in (("agriculture", "secp256r1"), ("other", "secp384r1")):
            parameters = session.create_domain_parameters(
                pkcs11.KeyType.EC,
                {pkcs11.Attribute.EC_PARAMS: pkcs11.util.ec.encode_named_curve_parameters(curve)},
                local=True,
            )
            parameters.generate_keypair(label=label, store=True)
    return f"pkcs11:token=city%20seal;object=agriculture?module-path={MODULE}"
