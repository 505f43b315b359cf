"""The coded findings of trust lists in English and Chinese, merged into `licence.findings`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TRUSTLIST_FINDINGS: Mapping[str, tuple[str, str]] = {
    "trustlist_malformed": (
        "The {what} of the trust list is malformed: {part}. Fetch it again from its publisher.",
        "信任列表的 {what} 格式有误：{part}。请从发布方重新获取。",
    ),
    "trustlist_threshold": (
        "Only {found} of the {needed} keys that must have signed the {what} of the trust list did.",
        "信任列表的 {what} 须有 {needed} 个密钥签名，实有 {found} 个。",
    ),
    "trustlist_rollback": (
        "The {what} of the trust list is version {found}, and version {known} is known already. Refuse it.",
        "信任列表的 {what} 为第 {found} 版，而已知第 {known} 版。请勿采用。",
    ),
    "trustlist_same_version": (
        "Two different {what}s of the trust list have version {found}. Refuse both and ask the publisher.",
        "信任列表的 {what} 有两个内容不同的第 {found} 版。请均不采用并向发布方核实。",
    ),
    "trustlist_root_skipped": (
        "Root version {found} follows {known}; a root is replaced one version at a time. Fetch those between.",
        "根文件由第 {known} 版跳至第 {found} 版；根文件须逐版更替。请获取其间各版。",
    ),
    "trustlist_expired": (
        "The {what} of the trust list ran out at {limit}. Fetch a newer one.",
        "信任列表的 {what} 已于 {limit} 过期。请获取新版。",
    ),
    "trustlist_other_root": (
        "The targets of the trust list belong to root version {found}, not to version {known}.",
        "信任列表的条目属于第 {found} 版根文件，而非第 {known} 版。",
    ),
    "trustlist_no_issuer": (
        "The trust list holds no issuer `{issuer}` at {at}.",
        "信任列表在 {at} 没有颁发机构`{issuer}`。",
    ),
}
