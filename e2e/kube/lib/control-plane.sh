# shellcheck shell=bash
# The processes of the control plane, started inside `control`. Admission
# plugins are Kubernetes' own defaults (ValidatingAdmissionPolicy and
# PodSecurity are among them) and NodeRestriction.

ETCD=http://127.0.0.1:2379

start_api() {
    local peers=http://127.0.0.1:2380
    # Nothing here outlives the cluster, so nothing has to reach the disk.
    start etcd etcd --unsafe-no-fsync --data-dir "$DIR/etcd" \
        --listen-client-urls "$ETCD" --advertise-client-urls "$ETCD" \
        --listen-peer-urls "$peers" --initial-advertise-peer-urls "$peers" \
        --initial-cluster "default=$peers"

    # Kubelets are called by address: their names are in no DNS.
    start api-server kube-apiserver --etcd-servers="$ETCD" \
        --advertise-address="$CONTROL_IP" --bind-address=0.0.0.0 --secure-port=6443 \
        --service-cluster-ip-range="$SERVICES" \
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
        --client-ca-file="$DIR/pki/ca.crt" \
        --tls-cert-file="$DIR/pki/api-server.crt" --tls-private-key-file="$DIR/pki/api-server.key" \
        --service-account-issuer=https://kubernetes.default.svc \
        --service-account-key-file="$DIR/pki/service-accounts.key" \
        --service-account-signing-key-file="$DIR/pki/service-accounts.key" \
        --kubelet-client-certificate="$DIR/pki/admin.crt" --kubelet-client-key="$DIR/pki/admin.key" \
        --kubelet-certificate-authority="$DIR/pki/ca.crt" \
        --kubelet-preferred-address-types=InternalIP
}

start_controllers() {
    # A machine that is switched off is noticed within 20 s.
    start controllers kube-controller-manager --kubeconfig="$(kubeconfig controllers)" \
        --use-service-account-credentials --leader-elect=false \
        --service-account-private-key-file="$DIR/pki/service-accounts.key" \
        --root-ca-file="$DIR/pki/ca.crt" \
        --cluster-signing-cert-file="$DIR/pki/ca.crt" --cluster-signing-key-file="$DIR/pki/ca.key" \
        --node-monitor-grace-period=20s \
        --flex-volume-plugin-dir="$DIR/config/volume-plugins" # by default it makes one in /usr

    start scheduler kube-scheduler --kubeconfig="$(kubeconfig scheduler)" --leader-elect=false

    # A short life, so that a pod's new address is seen at once.
    cat >"$DIR/config/Corefile" <<EOF
.:53 {
    bind $CONTROL_IP
    errors
    kubernetes cluster.local in-addr.arpa {
        kubeconfig $(kubeconfig admin)
        endpoint_pod_names
        ttl 1
    }
}
EOF
    start dns coredns -conf "$DIR/config/Corefile"

    # For Services to answer from the host; it acts as the first machine,
    # because kube-proxy must be on one.
    start_proxy proxy m1
    start provisioner "$KUBE_DIR/provisioner" "$(kubeconfig admin)" "$DIR/volumes" "$STORAGE_PROVISIONER"
}
