# shellcheck shell=bash
# Certificates and kubeconfigs of a cluster: one authority, elliptic-curve keys
# (made in no time), good for a month.

# make_pki: everything that does not depend on the machines.
make_pki() {
    mkdir -p "$DIR/pki" "$DIR/config"
    openssl ecparam -name prime256v1 -genkey -noout -out "$DIR/pki/service-accounts.key"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
        -subj /CN=dynamo-e2e -keyout "$DIR/pki/ca.key" -out "$DIR/pki/ca.crt" 2>/dev/null

    certificate api-server /CN=kube-apiserver \
        "IP:$CONTROL_IP,IP:$FIRST_SERVICE,IP:127.0.0.1,DNS:kubernetes,DNS:kubernetes.default.svc"
    user admin /O=system:masters/CN=admin
    user controllers /CN=system:kube-controller-manager
    user scheduler /CN=system:kube-scheduler
    user proxy /CN=system:kube-proxy
}

# make_machine_pki NUMBER: the API server checks the kubelet's name and address.
make_machine_pki() {
    user "m$1" "/O=system:nodes/CN=system:node:m$1" "DNS:m$1,IP:$(machine_ip "$1")"
}

# user NAME SUBJECT [ALT_NAMES]: a certificate and the kubeconfig that uses it.
user() {
    certificate "$1" "$2" "${3:-DNS:$1}"
    cat >"$(kubeconfig "$1")" <<EOF
apiVersion: v1
kind: Config
current-context: dynamo-e2e
contexts: [{name: dynamo-e2e, context: {cluster: dynamo-e2e, user: $1}}]
clusters: [{name: dynamo-e2e, cluster: {server: "$API", certificate-authority: "$DIR/pki/ca.crt"}}]
users: [{name: $1, user: {client-certificate: "$DIR/pki/$1.crt", client-key: "$DIR/pki/$1.key"}}]
EOF
}

# certificate NAME SUBJECT ALT_NAMES
certificate() {
    local path=$DIR/pki/$1
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -subj "$2" -keyout "$path.key" -out "$path.csr" 2>/dev/null
    openssl x509 -req -in "$path.csr" -days 30 -out "$path.crt" \
        -CA "$DIR/pki/ca.crt" -CAkey "$DIR/pki/ca.key" -CAcreateserial \
        -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3") 2>/dev/null
}
