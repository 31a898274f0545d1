# shellcheck shell=bash
# What runs on a machine: containerd with its CNI network, and the kubelet.

# hold_kernel_settings: the kubelet wants these values and would set them for
# the whole host; it finds them in plain files instead.
hold_kernel_settings() {
    local setting
    for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 \
        kernel/panic_on_oops=1 kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
        mkdir -p "/run/settings/$(dirname "$setting")"
        printf '%s\n' "${setting#*=}" >"/run/settings/${setting%=*}"
        mount --bind "/run/settings/${setting%=*}" "/proc/sys/${setting%=*}"
    done
}

# make_cgroups: the kubelet wants its root to exist in every controller.
make_cgroups() {
    local controller file
    for controller in /sys/fs/cgroup/*/; do
        mkdir -p "$controller$CGROUP-$NAME"
    done
    # A new cpuset is empty, and nothing can run in it.
    for file in cpuset.cpus cpuset.mems; do
        cat "/sys/fs/cgroup/cpuset/$file" >"/sys/fs/cgroup/cpuset/$CGROUP-$NAME/$file"
    done
}

start_containerd() {
    local number=${NAME#m} socket
    socket=$(containerd_socket "$NAME")
    mkdir -p "$DISK/cni"
    cat >"$DISK/cni/pods.conflist" <<EOF
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "ptp", "ipam": {"type": "host-local",
    "ranges": [[{"subnet": "$(machine_pods "$number")", "gateway": "$(machine_gateway "$number")"}]],
    "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
EOF
    # restrict_oom_score_adj: without CAP_SYS_RESOURCE, runc could not lower
    # the score and would die with "can't get final child's PID from pipe: EOF".
    cat >"$DISK/containerd.toml" <<EOF
version = 2
root = "$DISK/containerd"
state = "/run/containerd"
[grpc]
  address = "$socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$PAUSE_IMAGE"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$DISK/cni"
EOF
    rm -f "$socket"
    start "$NAME-containerd" containerd --config "$DISK/containerd.toml"
    until [[ -S $socket ]]; do sleep 0.1; done
    ctr --address "$socket" --namespace k8s.io images import "$(pause_image)" >/dev/null
}

start_kubelet() {
    cat >"$DISK/kubelet.yaml" <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $DIR/pki/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $DIR/pki/$NAME.crt
tlsPrivateKeyFile: $DIR/pki/$NAME.key
containerRuntimeEndpoint: unix://$(containerd_socket "$NAME")
volumePluginDir: $DISK/volume-plugins
clusterDomain: cluster.local
clusterDNS: ["$CONTROL_IP"]
resolvConf: ""                   # the host's name servers are not to be reached from pods
cgroupDriver: cgroupfs           # there is no systemd to ask
cgroupRoot: /$CGROUP-$NAME
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
# All machines share the host's disk: it being full is the host's matter.
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
nodeStatusUpdateFrequency: 5s
EOF
    start "$NAME-kubelet" kubelet --config="$DISK/kubelet.yaml" --kubeconfig="$(kubeconfig "$NAME")" \
        --root-dir="$DISK/kubelet" --hostname-override="$NAME" --node-ip="$(machine_ip "${NAME#m}")" \
        --node-labels="topology.kubernetes.io/zone=z${NAME#m}"
}
