"""Disks: the one that holds the mirrored folders and hamirror's own records is full."""
from .fault import fault

FILLER = "/data/filler"
# All that is free, root's reserve included; and a few bytes less so that it really is all.
FILL = f"""
    for size in 1073741824 67108864 4194304 262144 4096; do
        while fallocate -o $(stat -c %s {FILLER} 2>/dev/null || echo 0) -l $size {FILLER} 2>/dev/null
        do :; done
    done
    test -e {FILLER}
"""


def fill(node):
    node.run(FILL, timeout=60)


def make_room(field, nodes):
    for node in nodes:
        node.run(["rm", "-f", FILLER])


@fault("disk full: primary", make_room)
def full_primary(field, _):
    fill(field.primary)
    return [field.primary]


@fault("disk full: secondary", make_room)
def full_secondary(field, _):
    fill(field.secondary)
    return [field.secondary]


@fault("disk full: both nodes", make_room)
def full_both(field, _):
    fill(field.secondary)
    fill(field.primary)
    return [field.primary, field.secondary]
