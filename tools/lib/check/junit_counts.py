"""Prints "passed failed skipped" of the JUnit file that ctest wrote; fails when no test ran."""
import sys
import xml.etree.ElementTree

suite = xml.etree.ElementTree.parse(sys.argv[1]).getroot()
total, failed, skipped, disabled = (int(suite.get(key, "0")) for key in ("tests", "failures", "skipped", "disabled"))
skipped += disabled
print(total - failed - skipped, failed, skipped)
sys.exit(0 if total > 0 else 1)
