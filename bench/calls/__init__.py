"""What benchmarks of calls share: a small deployment, a generator of load, servers of ours and of peers."""
