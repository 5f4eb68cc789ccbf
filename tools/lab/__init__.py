"""The lab: two real systemd nodes, a switch and client hosts on one machine.

Each module holds one concern. `places` says where things are, `sh` runs commands; `image`, `disk`,
`switch`, `mains` and `node` make a node; `faults` breaks it; `scene`, `monitor`, `journal`,
`status`, `audit` and `recorder` watch it. docs/lab.md is the tour.
"""
