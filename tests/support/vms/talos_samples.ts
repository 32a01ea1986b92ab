/** Machine configurations in the shape of talosctl gen config's, with secrets of nobody. */
import type { TalosVersion } from "../../../lib/exports/names.ts";

const CERTIFICATE = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t";

/** What talosctl writes for a role. From 1.12 on the host name is in a document of its own. */
export function generatedTalos(version: TalosVersion, type: "controlplane" | "worker"): string {
  const main = `version: v1alpha1 # Indicates the schema used to decode the contents.
debug: false # Enable verbose logging to the console.
# Provides machine specific configuration options.
machine:
    type: ${type} # Defines the role of the machine within the cluster.
    token: abcdef.0123456789abcdef # The \`token\` is used by a machine to join the PKI of the cluster.
    ca:
        crt: ${CERTIFICATE}
        key: ""
    certSANs: []
    #   # Uncomment this to enable SANs.
    #   - 10.0.0.10
    kubelet:
        image: ghcr.io/siderolabs/kubelet:v1.34.0
        defaultRuntimeSeccompProfileEnabled: true
        disableManifestsDirectory: true
    # Used to provide instructions for installations.
    install:
        disk: /dev/sda # The disk used for installations.
        image: ghcr.io/siderolabs/installer:v${version}.2
        wipe: false
    files:
        - content: |
            role = {{ group.name }} # {{ .Other }}
            node = {{ vm.name }}
          permissions: 0o644
          path: /var/etc/node.conf
          op: create
    features:
        diskQuotaSupport: true
# Provides cluster specific configuration options.
cluster:
    id: 0raF93qnkMvF-FZNuvyGozXNdLiT2FOWSlyBaW4PR-w=
    secret: pofHbABZq7VXuObsdLdy/bHmz6hlMHZ3p8+6WKrv1ic=
    controlPlane:
        endpoint: https://10.0.0.30:6443
    clusterName: lab
    network:
        dnsDomain: cluster.local
        podSubnets:
            - 10.244.0.0/16
        serviceSubnets:
            - 10.96.0.0/12
    token: abcdef.0123456789abcdef
`;
  return version === "1.11" ? main : `${main}---
apiVersion: v1alpha1
kind: HostnameConfig
auto: stable # A method to automatically generate a hostname for the machine.
`;
}

/** From 1.15 on nearly everything has a document of its own. */
export function generatedTalosInDocuments(type: "controlplane" | "worker"): string {
  return `version: v1alpha1
machine:
    type: ${type}
    token: abcdef.0123456789abcdef
---
apiVersion: v1alpha1
kind: UnattendedInstall
installer:
    image: ghcr.io/siderolabs/installer:v1.15.0
---
apiVersion: v1alpha1
kind: HostnameConfig
auto: stable
`;
}
