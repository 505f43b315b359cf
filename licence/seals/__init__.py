"""Electronic seals (电子印章): making, applying, registering and verifying them after GM/T 0031 and GB/T 38540.

An outside verifier needs `licence.seals.verify`; making (`make`), the register (`register`) and the picture (`image`)
are modules of their own. Reading and writing the container a seal is applied to (OFD, PDF) belongs to other packages.
"""
