# shellcheck shell=bash
# The pause image, which every pod needs and no registry is there to give.

PAUSE_IMAGE=localhost/pause:1

# build_pause_image ARCHIVE
build_pause_image() {
    local work container
    work=$(mktemp -d)
    gcc -O2 -static -s -o "$work/pause" "$KUBE_DIR/lib/pause.c"
    use_own_storage "$work/storage"
    container=$(buildah from scratch)
    buildah copy --quiet "$container" "$work/pause" /pause >/dev/null
    buildah config --entrypoint '["/pause"]' "$container"
    buildah commit --quiet "$container" "$PAUSE_IMAGE" >/dev/null
    buildah push --quiet "$PAUSE_IMAGE" "docker-archive:$1.partial:$PAUSE_IMAGE"
    mv "$1.partial" "$1"
    rm -rf "$work"
}
