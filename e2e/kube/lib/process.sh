# shellcheck shell=bash
# The processes of a cluster: how the ones inside are started, and how the
# first one of a set of namespaces is found again from outside.

# start NAME COMMAND…: runs in the background with its output in log/NAME.log.
# When it ends, for whatever reason, so does the set of namespaces it is in: a
# half-dead control plane would only make tests fail in odd ways later.
start() {
    local name=$1
    shift
    mkdir -p "$(dirname "$DIR/log/$name")"
    (
        "$@" >"$DIR/log/$name.log" 2>&1 </dev/null || true
        printf '%s\n' "$name" >"$DIR/ended"
        kill -TERM 1
    ) &
}

# end_with_parts: the first process of a set of namespaces calls this first, so
# that the end of any part (see start) is its own; the kernel ends the others.
end_with_parts() { trap 'exit 1' TERM; }

# stay: what it does once all is started: reap the orphans that containerd leaves.
stay() {
    while :; do
        sleep 3600 &
        wait $!
    done
}

# first_process SCRIPT [MACHINE]: the pid of process 1 of the namespaces that
# run lib/SCRIPT for this cluster; nothing if there is none.
first_process() {
    local pid
    for pid in $(processes_of "$@"); do
        # The last number is the pid in the innermost namespace.
        if grep -qs '^NSpid:.*[[:space:]]1$' "/proc/$pid/status"; then
            printf '%s\n' "$pid"
            return
        fi
    done
}

# processes_of SCRIPT [MACHINE]: pids of the processes that run lib/SCRIPT for
# this cluster, known by their exact arguments and by nothing looser.
processes_of() {
    local script=$1 machine=${2-} file argv i
    for file in /proc/[0-9]*/cmdline; do
        mapfile -d '' -t argv 2>/dev/null <"$file" || continue
        for ((i = 0; i + 1 < ${#argv[@]}; i++)); do
            if [[ ${argv[i]} == */kube/lib/"$script" && ${argv[i + 1]} == "$DIR" &&
                (-z $machine || ${argv[i + 2]-} == "$machine") ]]; then
                basename "${file%/cmdline}"
                break
            fi
        done
    done
}

# kill_all SCRIPT [MACHINE]: ends those namespaces; returns when every process in them is gone.
kill_all() {
    local pids
    while pids=$(processes_of "$@") && [[ -n $pids ]]; do
        # shellcheck disable=SC2086 # one word per pid; some may have ended by now
        kill -KILL $pids 2>/dev/null || true
        sleep 0.1
    done
}

# start_proxy NAME MACHINE: kube-proxy is the same in `control` and on every machine.
# The limits of connection tracking are the host's: they are left alone.
start_proxy() {
    start "$1" kube-proxy --kubeconfig="$(kubeconfig proxy)" --hostname-override="$2" \
        --proxy-mode=iptables --cluster-cidr="$PODS" \
        --conntrack-max-per-core=0 --conntrack-min=0 \
        --conntrack-tcp-timeout-established=0s --conntrack-tcp-timeout-close-wait=0s
}
