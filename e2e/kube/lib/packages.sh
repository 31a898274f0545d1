# shellcheck shell=bash
# The Debian packages that a cluster and its images are made with.
#
# Asks apt only when something is missing, and leaves no service running: the
# cluster starts its own containerd and etcd, in its own place.

PACKAGES=(
    containerd runc containernetworking-plugins etcd-server # what a machine runs
    iproute2 iptables conntrack util-linux procps           # its network and namespaces
    buildah mmdebstrap gcc binutils libc6-dev                  # images
    openssl jq ca-certificates                              # certificates, JSON
)

install_packages() {
    local missing=() package
    for package in "${PACKAGES[@]}"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
            missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "${missing[@]}"
    # apt starts what it installs where systemd runs.
    if [[ -d /run/systemd/system ]]; then
        [[ " ${missing[*]} " != *" containerd "* ]] || systemctl disable --quiet --now containerd
        [[ " ${missing[*]} " != *" etcd-server "* ]] || systemctl disable --quiet --now etcd
    fi
}
