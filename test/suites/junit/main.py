"""Validates JUnit reports by the schema of Jenkins' xUnit plugin (junit-10.xsd), which pytest's sources contain.

The arguments are reports. For each, a line is printed: `valid`, or the first error.
"""

import pathlib
import sys

import xmlschema

[path] = pathlib.Path(__file__).parent.glob("pytest-*/testing/example_scripts/junit-10.xsd")
schema = xmlschema.XMLSchema10(path)
for report in sys.argv[1:]:
    error = next(schema.iter_errors(report), None)
    print("valid" if error is None else error.reason.replace("\n", " "))
