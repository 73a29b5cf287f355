"""The desk of a rights team: cases that people judge, and evidence packs for others.

Of cases: `opening` them with what the machine said (`findings`), `people` who may judge, `judging`,
the `queue`, and what became of the answers meanwhile (`exhibits`).

Of packs: `packing` says what goes in, `proof` what the audit says of it, `archive` how it is
written and signed, `identifiers` which ISCCs pictures have. `verification` reads packs: it needs
neither database nor models nor a network, and nothing here that does.
"""
