# shellcheck shell=bash
# Builds the Kubernetes binaries, helm, kubeconform and coredns from their Go
# modules, at the versions that tools/*/go.mod name.
#
# The result appears under its final name in one step, so a build that was
# interrupted leaves nothing that looks finished.

# Each has a module of its own, because their dependencies differ.
TOOL_MODULES=(kubernetes coredns kubeconform helm)

# build_tools BIN
build_tools() {
    local bin=$1 module version ldflags="-s -w"
    # A build without this says v0.0.0, and clients refuse or warn about the difference.
    version=$(cd "$KUBE_DIR/tools/kubernetes" && go list -m -f '{{.Version}}' k8s.io/kubernetes)
    ldflags+=$(printf ' -X k8s.io/component-base/version.git%s' \
        "Version=$version" "Major=$(cut -d. -f1 <<<"${version#v}")" "Minor=$(cut -d. -f2 <<<"$version")")

    mkdir -p "$bin.partial"
    for module in "${TOOL_MODULES[@]}"; do
        (cd "$KUBE_DIR/tools/$module" &&
            CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -buildvcs=false -trimpath \
                -ldflags "$ldflags" -o "$bin.partial/" tool)
    done
    mv -T "$bin.partial" "$bin"
}
