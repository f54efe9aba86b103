# Functions of tools/pilot, tools/check and bench/run: packages, the build, the unprivileged user.
#
# Terms
# The unprivileged user runs PostgreSQL, which refuses root: the caller, or postgres when the caller is root. The private
# tree is a copy of the PostgreSQL installation with the extension (tools/private_pg), so that nothing is written to /usr
# and existing clusters are not modified.
#
# Bash scripts with set -euo pipefail source this file. On an error a function prints it and exits with 1.
# shellcheck shell=bash

pg_mpc_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Packages besides the server, whose version need_build_packages chooses.
build_packages=(build-essential cmake ninja-build pkg-config libssl-dev libgmp-dev libcurl4-openssl-dev nlohmann-json3-dev
  python3 openssl)
test_packages=(libgtest-dev libipc-run-perl perl curl valgrind)
# The compiler, and the runtime and headers of its sanitizers and fuzzer, which are separate packages.
clang_packages=(clang libclang-rt-dev)

say() { printf '%s\n' "$*" >&2; }

die() {
  say "error: $*"
  exit 1
}

# as_root COMMAND...: runs it as root.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "this needs root or sudo: $*"
  fi
}

package_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

apt_update() {
  as_root apt-get update -qq >&2 || die "apt-get update failed"
}

# apt_install PACKAGE...: installs packages and shows the output only when that fails.
apt_install() {
  local said status=0
  said=$(mktemp)
  as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get install -y -qq --no-install-recommends \
    -o Dpkg::Use-Pty=0 "$@" >"$said" 2>&1 </dev/null || status=$?
  [ "$status" -eq 0 ] || tail -n 30 "$said" >&2
  rm -f "$said"
  [ "$status" -eq 0 ] || die "apt-get could not install: $*"
}

# install_postgresql PACKAGE...: installs server packages without letting them create the cluster "main".
# The createcluster.conf of the administrator is always restored.
install_postgresql() {
  local conf=/etc/postgresql-common/createcluster.conf saved status=0
  package_installed postgresql-common || apt_install postgresql-common
  saved=$(mktemp)
  cat "$conf" >"$saved"
  # A subshell, so that its EXIT trap also runs on Ctrl-C.
  (
    trap 'as_root cp "$saved" "$conf"; rm -f "$saved"' EXIT
    trap 'exit 130' INT TERM HUP
    { grep -v '^[[:space:]]*create_main_cluster' "$saved" || true; echo 'create_main_cluster = false'; } |
      as_root tee "$conf" >/dev/null
    apt_install "$@"
  ) || status=$?
  return "$status"
}

# need_packages NAME...: installs those of the Debian packages that are missing.
need_packages() {
  command -v dpkg-query >/dev/null || die "this command installs its packages with apt-get and needs Debian"
  local name missing=() server=()
  for name in "$@"; do
    package_installed "$name" && continue
    case $name in
      postgresql-[0-9]*) server+=("$name") ;;
      *) missing+=("$name") ;;
    esac
  done
  [ $((${#missing[@]} + ${#server[@]})) -eq 0 ] && return 0
  say "installing: ${missing[*]} ${server[*]}"
  apt_update
  # Server packages are installed first, because other packages may depend on them and need them configured.
  [ ${#server[@]} -eq 0 ] || install_postgresql "${server[@]}" || die "could not install ${server[*]}"
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
}

# pg_major: prints the major version of PostgreSQL: PG_MAJOR, else the newest whose headers are installed, else the one that
# the apt package "postgresql" depends on.
pg_major() {
  local major=${PG_MAJOR:-}
  [ -n "$major" ] || major=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 'postgresql-server-dev-*' 2>/dev/null |
    sed -n 's/^installed postgresql-server-dev-\([0-9][0-9]*\)$/\1/p' | sort -n | tail -n 1)
  [ -n "$major" ] || major=$(apt_major)
  if [ -z "$major" ]; then
    apt_update
    major=$(apt_major)
  fi
  [ -n "$major" ] || die "apt knows no package postgresql; set PG_MAJOR"
  echo "$major"
}

# apt_major: prints the major version of the apt package "postgresql", or nothing.
apt_major() {
  LC_ALL=C.UTF-8 apt-cache depends postgresql 2>/dev/null |
    sed -n 's/^ *Depends: postgresql-\([0-9][0-9]*\)$/\1/p' | head -n 1
}

# need_build_packages NAME...: installs the packages for the build, the server with its headers, and the named packages.
need_build_packages() {
  local major
  major=$(pg_major) || exit 1
  need_packages "${build_packages[@]}" "postgresql-$major" "postgresql-server-dev-$major" "$@"
}

pg_config_path() {
  local major
  if [ -n "${PG_CONFIG:-}" ]; then
    printf '%s\n' "$PG_CONFIG"
  else
    major=$(pg_major) || exit 1
    printf '%s\n' "/usr/lib/postgresql/$major/bin/pg_config"
  fi
}

# unprivileged_user: prints the name of the user that runs PostgreSQL.
unprivileged_user() {
  if [ "$(id -u)" -eq 0 ]; then
    id postgres >/dev/null 2>&1 || die "user postgres does not exist"
    echo postgres
  else
    id -un
  fi
}

# as_unprivileged COMMAND...
as_unprivileged() {
  if [ "$(id -u)" -eq 0 ]; then
    runuser -u "$(unprivileged_user)" -- "$@"
  else
    "$@"
  fi
}

# jobs: prints the number of parallel compilers. A compiler needs up to 1.5 GB for this code.
jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemAvailable/ { print int($2 / 1500000) }' /proc/meminfo)
  [ "$memory" -ge 1 ] || memory=1
  echo $((cores < memory ? cores : memory))
}

# logged LOG COMMAND...: runs a command with its output in LOG; on failure prints the end of the log and exits with 1.
logged() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 && return 0
  tail -n 40 "$log" >&2
  die "failed: $* (the whole output: $log)"
}

# private_tree DIR LOG: builds the extension, makes the private tree below DIR, prints its bindir.
private_tree() {
  local dir=$1 log=$2 tree config
  say "building the extension"
  # The unprivileged user must be able to read the tree, whatever the caller's umask is.
  config=$(pg_config_path) || exit 1
  tree=$(umask 022 && PG_CONFIG=$config "$pg_mpc_root/tools/private_pg" "$dir" 2>"$log") || {
    tail -n 40 "$log" >&2
    die "the extension could not be built (the whole output: $log)"
  }
  tail -n 1 <<<"$tree"
}
