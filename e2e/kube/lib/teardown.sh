# shellcheck shell=bash
# Ends a cluster and leaves nothing of it but the logs. Safe to call at any
# point of a start, twice, and on a directory that never had a cluster.

tear_down() {
    kill_all machine
    kill_all control
    remove_cgroups m
    # Mounts went with the namespaces; --one-file-system in case one did not.
    [[ ! -e $DIR/$MARK ]] ||
        rm -rf --one-file-system -- "$DIR"/{config,pki,etcd,volumes,machines,ended}
    disconnect_host
}

# switch_off MACHINE: as by pulling the plug.
switch_off() {
    kill_all machine "$1"
    remove_cgroups "$1"
}

# remove_cgroups PREFIX: of machines whose processes are gone, bottom up; not
# those of another cluster that is up in another directory.
remove_cgroups() {
    local root
    [[ ! -e /sys/class/net/$LINK ]] || claimed_by_us || return 0
    for root in /sys/fs/cgroup/*/"$CGROUP-$1"*; do
        [[ ! -d $root ]] || find "$root" -depth -type d -exec rmdir {} +
    done
}
