"""Change feeds (数据变更订阅): what changed in a resource, told to those who follow it."""
