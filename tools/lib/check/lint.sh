# Checks rules on the text of the project. Sourced by tools/check.
# shellcheck shell=bash

# project_files PATH...: the files of the project, also without git or in a tree from an archive.
project_files() {
  if git -c safe.directory="$PWD" rev-parse --git-dir >/dev/null 2>&1; then
    git -c safe.directory="$PWD" ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
      [ ! -f "$file" ] || echo "$file"
    done
  else
    # These patterns repeat .gitignore.
    find "$@" \( -name .git -o -name 'build*' -o -name __pycache__ -o -name results -o -name tmp_check \) -prune -o \
      -type f ! -name '*.o' ! -name '*.d' ! -name '*.so' ! -name '*.pyc' ! -name '*.bc' ! -name 'pg_mpc--*.sql' \
      ! -name 'regression.*' ! -name .build.lock ! -name .server_version -print | sed 's,^\./,,'
  fi
}

cpp_files() {
  project_files src test bench | grep -E '\.(cpp|h)$'
}

# shell_files: scripts whose first line names a shell, and the sourced parts.
shell_files() {
  project_files tools bench docker .ci | while read -r file; do
    case $(head -n 1 "$file") in
      '#!'*sh) echo "$file" ;;
      *) [[ $file != *.sh ]] || echo "$file" ;;
    esac
  done
}

# lint_benchmarks: no test builds the benchmarks.
lint_benchmarks() {
  local source status=0
  for source in bench/*.cpp; do
    c++ -std=gnu++20 -fsyntax-only -Isrc -Itest/unit "$source" || status=1
  done
  return $status
}

format_version=14
lint_format() {
  local file status=0
  while read -r file; do
    clang-format --dry-run -Werror "$file" 2>/dev/null && continue
    echo "clang-format changes $file"
    status=1
  done < <(cpp_files)
  return $status
}

lint_file_sizes() {
  local file lines limit status=0
  while read -r file; do
    lines=$(wc -l <"$file")
    limit=400
    [[ $file != test/* ]] || limit=600
    [ "$lines" -le "$limit" ] && continue
    echo "$file has $lines lines, the limit is $limit"
    status=1
  done < <(project_files src test bench extension tools t | grep -E '\.(cpp|h|sql|sh|py|pl|pm)$' |
    grep -vE '^(test/.*/?vectors/|extension/(released|upgrade)/pg_mpc--)')
  return $status
}

lint_words() {
  local status=0
  # Written in pieces, so that this file passes its own rule.
  if project_files . | grep -vE '\.(csv|json|out)$|corpus/' |
    xargs grep -nIE "(TO""DO|FIX""ME|XX""X:|not impl""emented|place""holder)"; then
    status=1
  fi
  if project_files src t tools test bench | xargs grep -nIE '(^|[^a-z_])(u?sleep|pg_sleep|sleep_for) ?\(|^ *sleep [0-9]' |
    grep -v 'allowed:'; then
    echo 'wait for the condition itself, not for a time'
    status=1
  fi
  # The fuzz targets and the memory sanitizer build the core with clang 14, which rejects the views of libstdc++ 12.
  if project_files src test bench | xargs grep -nE '#include <ranges>|std::(ranges::)?views::'; then
    echo 'no views: clang 14 does not compile them'
    status=1
  fi
  return $status
}

# lint_ascii: strings of the libraries and the control file are ASCII, because encodings of databases and clients differ.
# tools/check_sql checks the SQL of the extension.
lint_ascii() {
  ! {
    LC_ALL=C grep -nP '[^\x00-\x7F]' pg_mpc.control
    project_files src | grep -E '\.(cpp|h)$' | while read -r file; do
      sed 's,//.*,,' "$file" | LC_ALL=C grep -nP '[^\x00-\x7F]|\\u[0-9a-fA-F]{4}' | sed "s,^,$file:,"
    done
  } | grep .
}

lint_shell() {
  # SC2034, SC2154: the sourced parts share variables with tools/check.
  shell_files | xargs -n 1 bash -n && shell_files | xargs shellcheck -x -S warning -e SC2034,SC2154
}

lint_python() {
  project_files tools bench docker | grep '\.py$' |
    xargs python3 -c 'import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path, encoding="utf-8").read(), path)'
}

lint_perl() {
  local file perl
  perl=$(dirname "$(dirname "$("$(pg_config_path)" --pgxs)")")/test/perl
  for file in t/*.pl t/lib/*.pm; do
    # -c compiles without running; Test::More's plan is not made then.
    PERL5LIB="$perl:t/lib" TESTDIR="$scratch" perl -wc "$file" || return 1
  done
}

lint_compose() {
  docker-compose -f docker/docker-compose.yml config -q
}

# lint_docker: every file that the Dockerfile copies exists, and every stage ends as an unprivileged user.
lint_docker() {
  local source status=0
  while read -r source; do
    [ -e "$source" ] || { echo "docker/Dockerfile copies $source, which does not exist"; status=1; }
  done < <(sed -nE 's/^COPY +([^-].*) +[^ ]+$/\1/p' docker/Dockerfile | tr ' ' '\n')
  [ "$(grep -E '^USER ' docker/Dockerfile | tail -n 1)" = "USER postgres" ] || {
    echo "the last USER of docker/Dockerfile is not postgres"
    status=1
  }
  return $status
}

# lint_rules: every test and file in the last column of the tables of docs/rules.md exists, and every file in the one before.
lint_rules() {
  local name status=0
  while read -r name; do
    case $name in
      */*) [ -e "$name" ] ;;
      *) grep -rqE "^TEST(_F|_P)?\\(${name%%.*}, ${name#*.}\\)" test/unit ;;
    esac && continue
    echo "docs/rules.md names $name, which does not exist"
    status=1
  done < <({
    grep '^| ' docs/rules.md | awk -F'|' '{ print $(NF - 1) }' | grep -oE '`[^`]+`'
    grep '^| ' docs/rules.md | awk -F'|' '{ print $(NF - 2) }' | grep -oE '`[^`]+/[^`]+`'
  } | tr -d '\140' | sort -u)
  return $status
}

lint_reference() {
  python3 tools/lib/sql_reference.py --check
}

# lint_version: pg_mpc.control has the version. Other files repeat it, and the released one is older.
lint_version() {
  local version released status=0
  version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" pg_mpc.control)
  released=$(find extension/released -name 'pg_mpc--*.sql' | sed 's/.*--\(.*\)\.sql/\1/' | sort -V | tail -n 1)
  python3 -c 'import json, sys
meta = json.load(open("META.json", encoding="utf-8"))
sys.exit({meta["version"], meta["provides"]["pg_mpc"]["version"]} != {sys.argv[1]})' "$version" || {
    echo "META.json does not say $version"
    status=1
  }
  [ "$(grep -m 1 '^## ' CHANGELOG.md)" = "## $version (unreleased)" ] || {
    echo "CHANGELOG.md does not begin with $version (unreleased)"
    status=1
  }
  if [ "$version" = "$released" ] || [ "$(printf '%s\n' "$version" "$released" | sort -V | tail -n 1)" != "$version" ]; then
    echo "version $version does not follow the released $released"
    status=1
  fi
  return $status
}

# lint_release: in a copy, tools/release makes this version final and opens another one.
lint_release() {
  local copy=$scratch/release file version
  version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" pg_mpc.control)
  mkdir "$copy" || return 1
  cp -r Makefile META.json CHANGELOG.md pg_mpc.control extension tools "$copy/" || return 1
  (cd "$copy" && tools/release 99.0.0) || return 1
  for file in "extension/released/pg_mpc--$version.sql" "extension/upgrade/pg_mpc--*--$version.sql"; do
    compgen -G "$copy/$file" >/dev/null || { echo "tools/release makes no $file"; return 1; }
  done
  (cd "$copy" && lint_version)
}

check_lint() {
  local tool
  need_packages clang-format shellcheck docker-compose
  # Versions differ in details of the same style.
  tool=$(clang-format --version | sed -n 's/.*version \([0-9]*\)\..*/\1/p')
  if [ "$tool" = "$format_version" ]; then
    check "format of the C++ files" lint_format
  else
    skip "format of the C++ files: that of clang-format $format_version, this system has $tool"
  fi
  check "file sizes" lint_file_sizes
  check "words that must not stay" lint_words
  check "messages are ASCII" lint_ascii
  check "shell scripts" lint_shell
  check "python scripts" lint_python
  check "perl scripts" lint_perl
  check "docker-compose.yml" lint_compose
  check "Dockerfile" lint_docker
  check "rules of tools/check_references" tools/check_references --self-test
  check "links of the documents" tools/check_references --links
  check "docs/rules.md names tests that exist" lint_rules
  check "docs/sql_reference.md is current" lint_reference
  check "one version" lint_version
  check "tools/release" lint_release
  check "rules of tools/check_sql" tools/check_sql --self-test
  for tool in check_layers check_schedule check_sql check_references; do
    check "tools/$tool" "tools/$tool"
  done
  if tree; then
    check "exported symbols" tools/check_exports
    check "benchmarks compile" lint_benchmarks
  fi
}
