"""Rows that Spark holds: counted where they are, by the kernels of every other engine, and merged before the driver.

One job is one pass. Nothing but ``mapInArrow`` is asked of Spark, so that classic sessions, Spark Connect and computes
without RDDs do the same.
"""
