"""Jobs on their way: handed in, queued, taken by workers."""
