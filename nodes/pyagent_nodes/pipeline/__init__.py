"""Nodes that fetch, test, repair, audit and document a Python repository.

The tree is a value: every item carries what its step needs to make the work tree again (an archive by its hash, a
patch, a lock list), so that a step can run after a crash, in a fork or on another machine. The folder
`ctx.work_dir` is only a cache of that.
"""
