# shellcheck shell=bash
# What every script here shares: how to speak, how to fail, and where the
# cached artefacts lie. Nothing here changes the machine.
#
# The cache is outside the checkout and each artefact's path carries a hash of
# what it was made from, so an artefact that exists is finished and current.

KUBE_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/dynamo/kube-tools

say() { printf '%s\n' "$*"; }

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

need_root() {
    [[ $EUID -eq 0 ]] || die "needs root (namespaces, mounts and package installation): run it as root"
}

# key: a short hash of what stands on standard input.
key() { sha256sum | cut -c1-16; }

# tools_bin: the directory of kube-apiserver, kubelet, kubectl, helm, … for this
# checkout. How they are built stands in lib/tools.sh, which is part of the key.
tools_bin() {
    command -v go >/dev/null || die "Go is missing: install the version that e2e/kube/tools/*/go.mod name"
    printf '%s/%s/bin' "$CACHE" "$({
        cd "$KUBE_DIR/tools/kubernetes" && go env GOVERSION
        cat "$KUBE_DIR"/lib/tools.sh "$KUBE_DIR"/tools/*/go.{mod,sum}
    } | key)"
}

# base_rootfs: the archive of a minimal Debian that stands in for the base image.
base_rootfs() { printf '%s/debian-%s.tar' "$CACHE" "$(key <"$KUBE_DIR/lib/base-image.sh")"; }

# pause_image: the image of the process that holds a pod's namespaces.
pause_image() { printf '%s/pause-%s.tar' "$CACHE" "$(cat "$KUBE_DIR"/lib/pause.{sh,c} | key)"; }

# need_installed FILE…: refuses with the way out when an artefact is not there yet.
need_installed() {
    local file
    for file; do
        [[ -e $file ]] || die "$file is missing: run $KUBE_DIR/install first"
    done
}
