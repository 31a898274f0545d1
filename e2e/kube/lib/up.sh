# shellcheck shell=bash
# Starts a cluster from outside: checks, namespaces, then waits until everything
# that a test relies on has answered once.

up() {
    MACHINES=$1
    local start=$SECONDS
    check_request
    check_host
    PATH=$(tools_bin):$PATH

    mkdir -p "$DIR"
    : >"$DIR/$MARK"
    tear_down # what a cluster that died in this directory may have left
    rm -rf -- "$DIR/log"
    mkdir "$DIR/log"

    # From here on, every way out but the last line of this function undoes everything.
    trap 'exit 130' INT TERM HUP
    trap 'give_up' EXIT
    claim_host
    keep_traffic_in
    make_pki
    start_control
    until_answers "API server" api-server 60 kube get --raw /readyz
    add_objects
    for name in $(machines); do
        make_machine_pki "${name#m}"
        mkdir -p "$(machine_dir "$name")"
        switch_on "$name"
    done
    for name in $(machines); do
        until_answers "machine $name" "$name-kubelet" 60 kube wait --for=condition=Ready --timeout=1s "node/$name"
    done
    until_answers "DNS" dns 30 connects "$CONTROL_IP" 53
    until_answers "Services" proxy 60 connects "$FIRST_SERVICE" 443
    until_answers "default service account" controllers 30 kube get serviceaccount default
    trap - EXIT INT TERM HUP
    say "$MACHINES machines are up after $((SECONDS - start)) s: eval \"\$($0 env $DIR)\""
}

check_request() {
    [[ $MACHINES =~ ^[1-9]$ ]] || die "the number of machines must be 1 to $MAX_MACHINES, not $MACHINES"
    # The path ends up in configuration files and in socket addresses of at most 107 bytes.
    [[ $DIR =~ ^[A-Za-z0-9/._-]{2,60}$ ]] ||
        die "$DIR: the directory's path must have at most 60 letters, digits and . _ - /"
    [[ ! -e $DIR || -e $DIR/$MARK || -z $(ls -A "$DIR") ]] ||
        die "$DIR holds something else: give a new or empty directory"
    local path
    for path in "$DIR" "$CACHE"; do
        [[ ! $path/ =~ ^/(var|run)/ ]] || die "$path: machines have a /var and /run of their own; choose another place"
    done
}

check_host() {
    local network
    need_installed "$(tools_bin)" "$(pause_image)"
    [[ -d /sys/fs/cgroup/cpuset ]] ||
        die "this machine has no cgroups v1, which these machines are built on: set KUBECONFIG to a cluster of your own instead"
    [[ ! -e /sys/class/net/$LINK ]] || refuse_second
    for network in "${NETWORKS[@]}"; do
        # What a cluster that died has left (unreachable …) is no obstacle.
        ! ip -4 route show root "$network" | grep -qv ^unreachable ||
            die "addresses $network are in use on this machine (ip route): end what uses them first"
    done
}

# start_control: a session of its own, so that Ctrl-C in a terminal reaches `up` only.
start_control() {
    local pid
    setsid unshare --net --mount --pid --uts --fork --mount-proc \
        bash "$KUBE_DIR/lib/control" "$DIR" "$MACHINES" >"$DIR/log/control.log" 2>&1 </dev/null &
    until pid=$(first_process control) && [[ -n $pid ]]; do
        kill -0 $! 2>/dev/null || fail_with "the namespaces of the control plane could not be made" control
        sleep 0.1
    done
    connect_host "$pid"
}

# switch_on MACHINE: as a child of the first process of `control`.
switch_on() {
    nsenter --target "$(first_process control)" --mount --net --pid --uts -- \
        setsid --fork nsenter --net="/run/netns/$1" unshare --mount --pid --uts --fork --mount-proc \
        bash "$KUBE_DIR/lib/machine" "$DIR" "$1" >"$DIR/log/$1.log" 2>&1 </dev/null
}

# add_objects: what a cluster's installer would add to the bare API.
add_objects() {
    kube apply -f - >/dev/null <<EOF
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: kube-proxy}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:node-proxier}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: system:kube-proxy}]
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: $STORAGE_PROVISIONER
volumeBindingMode: WaitForFirstConsumer
reclaimPolicy: Delete
allowVolumeExpansion: true
EOF
}

connects() { timeout 1 bash -c "exec 3<>/dev/tcp/$1/$2"; }

# until_answers WHAT LOG SECONDS COMMAND…: tries until the command succeeds.
until_answers() {
    local what=$1 log=$2 end=$((SECONDS + $3))
    shift 3
    # In a subshell, or an interruption meanwhile would be silenced too.
    until ("$@") >/dev/null 2>&1; do
        [[ ! -e $DIR/ended ]] || fail_with "$(cat "$DIR/ended") ended" "$(cat "$DIR/ended")"
        ((SECONDS < end)) || fail_with "$what did not answer in time" "$log"
        sleep 0.2
    done
}

fail_with() {
    printf '%s; the end of its log:\n' "$1" >&2
    tail -n 20 "$DIR/log/$2.log" >&2 || true
    die "the cluster did not come up: $1"
}

# give_up: on the way out after an error or an interruption.
give_up() {
    trap '' INT TERM HUP
    say "tearing down what was started; the logs stay in $DIR/log" >&2
    tear_down
}
