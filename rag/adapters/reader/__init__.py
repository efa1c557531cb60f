"""Reads a question and passages together: does a passage answer, and where?"""
