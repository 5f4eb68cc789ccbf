"""The table of all faults, by name."""
# each registers its own when it is imported
from . import (faults_disks, faults_network, faults_power, faults_processes,  # noqa: F401
               faults_witness)
from .fault import BOUND_S, FAULTS, PASSES, Field  # noqa: F401
