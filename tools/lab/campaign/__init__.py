"""The campaign: random faults on real nodes against clients that keep book, a module a concern.

    faults      the table of faults: what each does, and how it is healed
    schedule    which fault when, from a seed and nothing else
    appender    the application beside PostgreSQL: an append and an fsync for each numbered record
    books       what the clients of both were told, by whom and when
    history     the rules no book may break; pure
    play        the run: strike, hold, heal, wait for the pair, look
    report      faults, outcomes and failover times, as a table

tests/lab/campaign plays it.
"""
