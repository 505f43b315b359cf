"""The reference city: a responsibility list as large as 阜阳's first batch of 2020, made from a seed.

53 departments, 1,227 resources and their fields, lines, matters, needs and prohibitions; no records. The departments
exist; their unified social credit codes are made up (with valid check digits), and so is what they are said to hold.
Citations of law name the rule a real list would cite; they are examples and have not been checked by a lawyer.
The small city that has records is `hub.demo.city`.
"""

from __future__ import annotations

from hub.demo.reference.listing import reference_list
from hub.demo.reference.use import grants_for, requests_for

__all__ = ["grants_for", "reference_list", "requests_for"]
