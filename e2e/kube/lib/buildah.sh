# shellcheck shell=bash
# buildah with a storage of its own, so that no image or setting of the user's
# is read or changed.

# use_own_storage DIR: from here on, this shell's buildah keeps everything in DIR.
use_own_storage() {
    local dir=$1
    mkdir -p "$dir/tmp"
    cat >"$dir/storage.conf" <<EOF
[storage]
driver = "vfs"
graphroot = "$dir/graph"
runroot = "$dir/run"
EOF
    # Without this, buildah makes /etc/cni.
    cat >"$dir/containers.conf" <<EOF
[network]
network_config_dir = "$dir/networks"
EOF
    export CONTAINERS_STORAGE_CONF=$dir/storage.conf CONTAINERS_CONF=$dir/containers.conf TMPDIR=$dir/tmp
    # A plain chroot needs no kernel feature beyond being root.
    export BUILDAH_ISOLATION=chroot
}
