"""Witnesses of the log (C2SP tlog-witness): asking others, and being one."""
