# Sourced by scripts/run and scripts/test: the virtual environment of the project, made and repaired as needed.
# Works with the bash 3.2 of macOS. After `require FILE...` the variable $python runs with their packages.

set -euo pipefail
unset CDPATH PYTHONHOME PYTHONPATH
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
python=$venv/bin/python
command_name=scripts/$(basename "$0")

say() { printf '%s: %s\n' "$command_name" "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

is_supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null </dev/null
}

# Installs what the named requirements files list, and compiles the numeric kernels, unless that was done before.
require() {
    cd "$root"
    is_installed "$@" || install_once "$@"
    is_compiled || compile_kernels
}

install_once() {
    local base
    base=$(find_python)
    take_lock "$base"
    if ! is_installed "$@"; then
        [ -e "$venv/.installing" ] && say "The last installation was interrupted; starting afresh."
        is_usable || make_venv "$base"
        install "$@"
    fi
    exec 9>&- # releases the lock
}

# Each installed file has a copy in .venv; an equal copy means that its packages are there.
is_installed() {
    local file
    [ ! -e "$venv/.installing" ] && is_supported "$python" || return 1
    for file in "$@"; do
        cmp -s "$file" "$(stamp_of "$file")" || return 1
    done
}

stamp_of() { printf '%s/installed-%s' "$venv" "${1//\//-}"; }

is_usable() {
    [ ! -e "$venv/.installing" ] && is_supported "$python" && "$python" -m pip --version >/dev/null 2>&1
}

# Prints a Python from 3.11 to 3.13 that can make virtual environments.
find_python() {
    local name incomplete=
    for name in python3 python3.13 python3.12 python3.11 python; do
        is_supported "$name" || continue
        if "$name" -c 'import ensurepip, venv' 2>/dev/null; then
            command -v "$name"
            return
        fi
        incomplete=$name
    done
    [ -z "$incomplete" ] || die "$incomplete cannot make virtual environments: install its venv module" \
        "(Debian, Ubuntu: apt install $incomplete-venv)."
    die "Python 3.11, 3.12 or 3.13 is needed, and none is on the PATH" \
        "(python3 is $(python3 --version 2>/dev/null || echo missing))."
}

# One installation at a time. The lock belongs to descriptor 9, so it ends with this process, however that ends.
take_lock() {
    { exec 9>"$root/.venv.lock"; } 2>/dev/null || die "$root cannot be written: run as its owner."
    "$1" - <<'PYTHON'
import fcntl
import sys

try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("Waiting for another installation to finish.", file=sys.stderr)
    fcntl.flock(9, fcntl.LOCK_EX)
PYTHON
}

make_venv() {
    say "Making the virtual environment .venv with $("$1" --version)."
    attempt "The virtual environment could not be made." "$1" -m venv --clear "$venv"
}

install() {
    local file arguments=()
    for file in "$@"; do
        arguments+=(-r "$file")
    done
    say "Installing the packages of $*; the first time takes about a minute."
    rm -f "$venv"/installed-*
    : >"$venv/.installing"
    attempt "The packages could not be installed." "$python" -m pip install --quiet "${arguments[@]}"
    for file in "$@"; do
        cp "$file" "$(stamp_of "$file")"
    done
    rm "$venv/.installing"
    say "Installed."
}

# True while the engine has the sources of the last compilation, by name, and none of them is newer. A file that was
# moved keeps its time, so the time alone does not tell.
is_compiled() {
    [ "$(engine_sources)" = "$(cat "$venv/compiled" 2>/dev/null)" ] &&
        [ -z "$(find app/engine -name '*.py' -newer "$venv/compiled")" ]
}

engine_sources() { find app/engine -name '*.py' | LC_ALL=C sort; }

compile_kernels() {
    say "Compiling the numeric kernels."
    engine_sources >"$venv/compiling" # before the sources are read, so that a later change counts
    attempt "The numeric kernels could not be compiled." "$python" -m app.engine.compile
    mv "$venv/compiling" "$venv/compiled"
}

# Runs a command silently; shows what it said, and what that means, if it fails.
attempt() {
    local failure=$1 output
    shift
    output=$("$@" 2>&1 </dev/null) && return
    printf '%s\n' "$output" | tail -n 25 >&2
    case $output in
    *"No space left on device"*) die "$failure The disk is full: free about 1 GB and start again." ;;
    *"Temporary failure in name resolution"* | *"Failed to establish a new connection"* | *"Network is unreachable"* | \
        *"Connection refused"* | *"ReadTimeoutError"* | *"ConnectTimeoutError"* | *"ProxyError"* | *"SSLError"*)
        rm -f "$venv/.installing" # nothing was begun
        die "$failure The package index cannot be reached: check the network, then start again."
        ;;
    *) die "$failure The reason is above. Deleting .venv and starting again is safe." ;;
    esac
}
