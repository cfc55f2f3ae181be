"""Schedules: what is rendered again and again, and each of its runs.

`file` reads what a person wrote, `calendar` knows when it fires, `fires` turns the hours into runs
that are in the books once, `due` lets them begin, `perform` makes a job of one, `follow` sees to
its end. Functions take an open transaction where they take a connection, and never commit it.
"""
