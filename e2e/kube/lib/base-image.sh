# shellcheck shell=bash
# A minimal Debian 12 as a root file system archive. It stands in for
# docker.io/library/debian:bookworm-slim, which a machine without a container
# registry cannot pull.

# build_base_rootfs ARCHIVE: from the same package sources that this machine's
# apt uses, whatever they are; documentation and translations are left out.
build_base_rootfs() {
    local sources
    # shellcheck disable=SC2016 # $(…) is apt's own placeholder
    sources=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' 'Origin: Debian' | sort -u)
    grep -q ' bookworm ' <<<"$sources" ||
        die "apt knows no package source of Debian 12 (bookworm): run apt-get update, or use a Debian 12 machine"
    mmdebstrap --quiet --variant=minbase \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        bookworm "$1.partial.tar" - <<<"$sources"
    mv "$1.partial.tar" "$1"
}
