# Stands below the text of a stack's own check: calls that one's functions test_… one by one, and tells what failed.
def _call_tests(names):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    import json  # noqa: PLC0415 - a check may have names of its own for them
    import traceback  # noqa: PLC0415

    tests = [name for name in names if name.startswith("test_") and callable(names[name])]
    failed = {}
    for name in tests:
        try:
            names[name]()
        except BaseException as error:
            stack = traceback.extract_tb(error.__traceback__)
            lines = [one.lineno for one in stack if one.filename == "<probe own>"]
            failed[name] = [lines[-1], f"{type(error).__name__}: {error}"[:500]]
    print()
    print(json.dumps({"tests": tests, "failed": failed}))


_call_tests(dict(globals()))  # type: ignore[no-untyped-call]
