"""Click-to-segment image annotation with SAM 2."""

import os

__version__ = "0.1.0"

# OpenMP reads this once, when torch is loaded. Its threads would otherwise spin while they wait, and slow down whatever
# else runs: see annotator/sam/threads.py.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
