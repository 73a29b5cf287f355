"""What a rights desk hands to others: evidence packs, and how a stranger verifies one.

`packing` says what goes in, `proof` what the audit says of it, `archive` how it is written and
signed, `identifiers` which ISCCs pictures have. `verification` reads packs: it needs neither
database nor models nor a network, and nothing here that does.
"""
