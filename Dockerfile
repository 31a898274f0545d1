# Built as it is by docker and by buildah; it needs no `# syntax=` line.
#
#   docker build --target node     -t dynamokv/node .
#   docker build --target operator -t dynamokv/operator .
#
# Whoever has the binaries already (e2e/kube/images, a release pipeline) gives
# them in place of the `binaries` stage, and nothing is compiled:
#   … build --build-context binaries=DIRECTORY …

FROM docker.io/library/rust:1.95.0-bookworm AS build
# Use the toolchain of this image as it is, not what else rust-toolchain.toml wants.
ENV RUSTUP_TOOLCHAIN=1.95.0
# RocksDB is compiled from source and its bindings are made with libclang.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends clang libclang-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bins -p dynamo-node -p dynamo-client -p dynamo-operator \
    && mkdir /out \
    && cp target/release/dynamo-node target/release/dynamo target/release/dynamo-operator /out/

FROM scratch AS binaries
COPY --from=build /out/ /

# Collects for each image exactly the shared libraries that its binaries name,
# from the Debian release that they were compiled on.
FROM docker.io/library/debian:bookworm-slim AS libs
COPY --from=binaries / /binaries/
RUN set -eu; \
    collect() { \
        root=$1; shift; \
        mkdir -p "$root/usr/local/bin" "$root/etc"; \
        for binary in "$@"; do \
            install -m 0755 "/binaries/$binary" "$root/usr/local/bin/"; \
            if ldd "/binaries/$binary" | grep 'not found'; then exit 1; fi; \
            ldd "/binaries/$binary" | grep -o '/[^ ]*' | xargs -r cp --parents --dereference --target-directory "$root"; \
        done; \
        echo 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin' >"$root/etc/passwd"; \
        echo 'nonroot:x:65532:' >"$root/etc/group"; \
        echo 'hosts: files dns' >"$root/etc/nsswitch.conf"; \
    }; \
    collect /node dynamo-node dynamo; \
    collect /operator dynamo-operator

FROM scratch AS node
COPY --from=libs /node/ /
ENV PATH=/usr/local/bin
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/dynamo-node"]
LABEL org.opencontainers.image.title="dynamo-node" \
      org.opencontainers.image.description="A node of a Dynamo ring, and the dynamo command line" \
      org.opencontainers.image.licenses="Apache-2.0"

FROM scratch AS operator
COPY --from=libs /operator/ /
ENV PATH=/usr/local/bin
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/dynamo-operator"]
LABEL org.opencontainers.image.title="dynamo-operator" \
      org.opencontainers.image.description="The Kubernetes operator of Dynamo rings" \
      org.opencontainers.image.licenses="Apache-2.0"
