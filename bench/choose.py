"""Passes the JSON lines whose "name" is one of the arguments or lies below one; everything without arguments."""
import json
import sys

asked = sys.argv[1:]
for line in sys.stdin:
    name = json.loads(line)["name"]
    if not asked or any(name == each or name.startswith(each + ".") for each in asked):
        print(line, end="", flush=True)
