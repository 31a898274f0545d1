# shellcheck shell=bash
# The network between host, control and machines: one bridge inside `control`,
# a cable from it to the host and to each machine. See lib/layout.sh for the picture.
#
# Pods are routed, not bridged (CNI plugin ptp), so traffic between any two pods
# passes their machines' FORWARD chain: kube-proxy sees the replies, and a test
# can cut two pods apart there.

# claim_host: the link is also the lock, for adding one is atomic. No
# interruption comes between it and its alias, or nobody would own it.
claim_host() {
    (
        trap '' INT TERM HUP
        ip link add name "$LINK" type veth peer name dynamo1 2>/dev/null || refuse_second
        ip link set "$LINK" alias "$DIR"
    )
}

refuse_second() {
    local other
    other=$(cat "/sys/class/net/$LINK/ifalias" 2>/dev/null || true)
    die "a cluster is up in ${other:-another directory}: end it first with cluster down ${other:-DIR}"
}

# claimed_by_us: whether this cluster, and no other, holds the link.
claimed_by_us() { [[ $(cat "/sys/class/net/$LINK/ifalias" 2>/dev/null) == "$DIR" ]]; }

# connect_host PID: plugs the host's cable into the namespaces of PID.
connect_host() {
    ip link set dynamo1 netns "$1"
    ip address add "$HOST_IP/$LINK_BITS" dev "$LINK"
    ip link set "$LINK" up
    ip route add "$SERVICES" via "$CONTROL_IP"
    route_to_pods
}

# keep_traffic_in: until `down`, packets to a cluster that has died must fail,
# rather than leave this machine by its default route.
keep_traffic_in() {
    local network
    for network in "${NETWORKS[@]}"; do
        ip route replace unreachable "$network" metric 9999
    done
}

let_traffic_out() {
    local network
    for network in "${NETWORKS[@]}"; do
        ip route delete unreachable "$network" metric 9999 2>/dev/null || true
    done
}

# disconnect_host: routes and the far end go with it. The kernel may be doing
# the same at this moment, after the end of `control`.
disconnect_host() {
    [[ ! -e /sys/class/net/$LINK ]] || claimed_by_us || return 0
    ip link delete "$LINK" 2>/dev/null || true
    let_traffic_out
}

# route_to_pods [NUMBER]: to the pods of every machine; given a number, on that
# machine and to the pods of all others.
route_to_pods() {
    local i
    for ((i = 1; i <= MACHINES; i++)); do
        [[ $i == "${1-}" ]] ||
            ip ${1:+-n "m$1"} route add "$(machine_pods "$i")" via "$(machine_ip "$i")"
    done
}

# make_network: in `control`: waits for the host's cable, then makes the machines' ones.
make_network() {
    local i
    ip link set lo up
    ip link add name machines type bridge
    ip address add "$CONTROL_IP/$LINK_BITS" dev machines
    ip link set machines up
    # Frames between machines are none of this firewall's business, and going
    # out where it came in is what a packet to a Service does here.
    set_if_there /proc/sys/net/bridge/bridge-nf-call-iptables 0
    set_if_there /proc/sys/net/ipv4/conf/all/send_redirects 0
    set_if_there /proc/sys/net/ipv4/ip_forward 1

    until ip link show dynamo1 >/dev/null 2>&1; do sleep 0.1; done
    ip link set dynamo1 master machines up
    # For the look-up only: kube-proxy puts a pod's address in place of a
    # Service's. There is no way out of the cluster, on purpose.
    ip route add "$SERVICES" dev machines
    route_to_pods
    for ((i = 1; i <= MACHINES; i++)); do connect_machine "$i"; done
}

# connect_machine NUMBER: a named network namespace; it stays when the machine is off.
connect_machine() {
    local name=m$1
    ip netns add "$name"
    ip link add name "$name" type veth peer name eth0 netns "$name"
    ip link set "$name" master machines up
    ip -n "$name" link set lo up
    ip -n "$name" address add "$(machine_ip "$1")/$LINK_BITS" dev eth0
    ip -n "$name" link set eth0 up
    ip -n "$name" route add "$SERVICES" dev eth0
    route_to_pods "$1"
    ip netns exec "$name" sysctl -qw net.ipv4.ip_forward=1
}

set_if_there() { [[ ! -e $1 ]] || printf '%s\n' "$2" >"$1"; }
