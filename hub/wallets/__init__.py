"""Licences in people's wallets: offered and delivered (OpenID4VCI), asked for and judged (OpenID4VP).

`hub.wallets.offers` issues, `hub.wallets.requests` asks; what they remember is `hub.wallets.store`'s, the messages are
`licence.wallet`'s, and the doors `hub.api.wallets`'s.
"""
