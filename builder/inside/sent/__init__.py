"""What several scripts share: a script that says `from builder.inside.sent.NAME import …` is sent with it.

Each stands alone, imports nothing but the standard library, and is written for Python 3.7.
"""
