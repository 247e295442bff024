"""Runs graphs: the rules, their compilation to LangGraph, leases, events, expressions."""
