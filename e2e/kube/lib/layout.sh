# shellcheck shell=bash
# The addresses and paths of a cluster: the one place where they are decided.
#
#   host ── dynamo0 ─┬─ control ──── etcd, API server, controllers, scheduler, DNS
#    10.205.0.1      │  10.205.0.2
#                    ├─ m1 ───────── containerd, kubelet, kube-proxy, pods 10.203.1.0/24
#                    │  10.205.0.11
#                    └─ m2, m3 …
#
# control and each machine are Linux namespaces (network, processes, mounts,
# host name). All of it ends with the first process of `control`: the kernel
# then kills every process in there and drops its mounts, links and firewall
# rules, however the end came. The host only ever sees the link dynamo0, routes
# to these three networks, the machines' cgroups and the directory.
#
# NetworkPolicy objects are accepted and have no effect: nothing here enforces them.

# shellcheck disable=SC2034 # this file is for others to source

LINK=dynamo0          # the host's end; its alias is the cluster's directory
HOST_IP=10.205.0.1
CONTROL_IP=10.205.0.2 # of the API server and of DNS
LINK_BITS=24
PODS=10.203.0.0/16
SERVICES=10.204.0.0/16
FIRST_SERVICE=10.204.0.1 # the Service `kubernetes`
API=https://$CONTROL_IP:6443
NETWORKS=("$PODS" "$SERVICES" 10.205.0.0/24)
MAX_MACHINES=9
CGROUP=dynamo-e2e
MARK=.dynamo-e2e-cluster
STORAGE_PROVISIONER=e2e.dynamokv.io/local

machine_ip() { printf '10.205.0.1%d' "$1"; }
machine_pods() { printf '10.203.%d.0/24' "$1"; }
machine_gateway() { printf '10.203.%d.1' "$1"; }

# Below the directory DIR of a cluster:
#   config/     kubeconfigs and settings           log/      one file per process
#   pki/        certificates, valid for a month    etcd/     the API's objects
#   volumes/    MACHINE/PV, what pods store        machines/ NAME/, a machine's disk
#   .dynamo-e2e-cluster      says that all this may be removed
#   ended       the name of the process whose end brought something down
kubeconfig() { printf '%s/config/%s.kubeconfig' "$DIR" "$1"; }
machine_dir() { printf '%s/machines/%s' "$DIR" "$1"; }
containerd_socket() { printf '%s/machines/%s/containerd.sock' "$DIR" "$1"; }
machines() { seq -f 'm%g' "$MACHINES"; }
kube() { kubectl --kubeconfig "$(kubeconfig admin)" "$@"; }
