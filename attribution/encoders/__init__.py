"""Models behind one small Protocol, a file a family; heavy imports wait for their use."""
