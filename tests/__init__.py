"""Facts about behaviour, stated with the real parts.

Each process of tests computes in one thread, and so do those that it starts. There are as many of
them as cores; threads of one that wait for each other would spin, and take the core from the next.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch are imported
