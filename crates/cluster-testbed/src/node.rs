//! A node: containerd, kubelet and kube-proxy in a network of their own, with control groups of their own.

use crate::apart::{Apart, node_address, node_name, pod_network};
use crate::certificates::Authority;
use crate::cgroups;
use crate::control_plane::SERVER;
use crate::images::PAUSE;
use crate::parts::Part;
use crate::spawned::{Spawned, run, until};
use anyhow::{Context as _, Result};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The address of cluster DNS.
pub(crate) const DNS_ADDRESS: &str = "10.96.0.10";

/// What all nodes of a cluster have alike.
pub(crate) struct Wanted<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) control_group: String,
    /// Run after `bridge` and `portmap`, as the network plugin's specification chains them.
    pub(crate) chained_plugins: &'a [serde_json::Value],
    /// Looked in before the system's.
    pub(crate) plugin_folder: Option<&'a Path>,
}

pub(crate) struct Node {
    number: usize,
    folder: PathBuf,
    logs: PathBuf,
    cgroup: String,
    spawned: Vec<Spawned>,
}

impl Node {
    /// Starts its containerd; the kubelet needs the API server.
    pub(crate) fn start(apart: Apart, number: usize, wanted: &Wanted<'_>) -> Result<Self> {
        let name = node_name(number);
        let own = wanted.folder.join(&name);
        for part in ["root", "state", "cni", "kubelet", "pod-logs", "cni-state", "volume-plugins"] {
            fs::create_dir_all(own.join(part))?;
        }
        let cgroup = format!("{}/{name}", wanted.control_group);
        cgroups::make(&cgroup)?;
        let logs = wanted.folder.join("logs");
        let mut node = Self { number, folder: own, logs, cgroup, spawned: Vec::new() };
        node.write_containerd(wanted)?;
        node.write_network(wanted)?;
        let programs = Part::Containerd.built()?;
        let mut containerd = apart.inside(&name, programs.join("containerd"));
        // It looks for its own shim by name.
        let path = std::env::var("PATH").unwrap_or_default();
        containerd.env("PATH", format!("{}:{path}", programs.display()));
        containerd.arg("--config").arg(node.folder.join("containerd.toml"));
        node.spawned.push(Spawned::start(
            &format!("{name}-containerd"),
            &mut containerd,
            &node.logs,
        )?);
        Ok(node)
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("containerd.sock")
    }

    /// Gives containerd the images, once it listens.
    pub(crate) fn import(&mut self, apart: Apart, images: &[PathBuf]) -> Result<()> {
        let socket = self.socket();
        until("containerd listens", Duration::from_secs(30), || {
            self.still_running()?;
            Ok(socket.exists())
        })?;
        for image in images {
            let mut import =
                apart.inside(&node_name(self.number), Part::Containerd.program("ctr")?);
            import
                .arg("--address")
                .arg(&socket)
                .args(["--namespace", "k8s.io", "images", "import", "--local"])
                .arg(image);
            run(&mut import).context("importing an image")?;
        }
        Ok(())
    }

    /// Starts what talks to the API server.
    pub(crate) fn join(&mut self, apart: Apart, authority: &Authority) -> Result<()> {
        let name = node_name(self.number);
        let address = node_address(self.number);
        let serving = authority.server(
            &format!("system:node:{name}"),
            &["system:nodes"],
            &[&name, &address],
        )?;
        let kubeconfig = self.folder.join("kubelet.kubeconfig");
        authority.kubeconfig(&kubeconfig, SERVER, &serving)?;
        let configuration = self.kubelet(authority, &serving.certificate, &serving.key);
        let file = self.write("kubelet.json", &configuration)?;
        let mut kubelet = apart.inside(&name, Part::Kubernetes.program("kubelet")?);
        kubelet
            .arg(format!("--config={}", file.display()))
            .arg(format!("--kubeconfig={}", kubeconfig.display()));
        kubelet.arg(format!("--root-dir={}", self.folder.join("kubelet").display()));
        kubelet.arg(format!("--cert-dir={}", self.folder.join("kubelet-certificates").display()));
        kubelet.arg(format!("--hostname-override={name}")).arg(format!("--node-ip={address}"));
        self.spawned.push(Spawned::start(&format!("{name}-kubelet"), &mut kubelet, &self.logs)?);
        self.start_proxy(apart, authority)
    }

    fn start_proxy(&mut self, apart: Apart, authority: &Authority) -> Result<()> {
        let name = node_name(self.number);
        let kubeconfig = self.folder.join("kube-proxy.kubeconfig");
        authority.kubeconfig(&kubeconfig, SERVER, &authority.client("system:kube-proxy", &[])?)?;
        // All of conntrack's settings are kernel-wide files that cannot be written here.
        let configuration = json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
            "mode": "nftables", "clusterCIDR": "10.244.0.0/16", "hostnameOverride": name,
            "clientConnection": { "kubeconfig": kubeconfig },
            "healthzBindAddress": "127.0.0.1:10256", "metricsBindAddress": "127.0.0.1:10249",
            "conntrack": {
                "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s",
                "udpTimeout": "0s", "udpStreamTimeout": "0s",
            },
        });
        let file = self.write("kube-proxy.json", &configuration)?;
        let mut proxy = apart.inside(&name, Part::Kubernetes.program("kube-proxy")?);
        proxy.arg(format!("--config={}", file.display()));
        self.spawned.push(Spawned::start(&format!("{name}-kube-proxy"), &mut proxy, &self.logs)?);
        Ok(())
    }

    pub(crate) fn still_running(&mut self) -> Result<()> {
        self.spawned.iter_mut().try_for_each(Spawned::still_running)
    }

    pub(crate) fn reap(&mut self) {
        self.spawned.iter_mut().for_each(Spawned::reap);
    }

    fn kubelet(&self, authority: &Authority, certificate: &Path, key: &Path) -> serde_json::Value {
        json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": { "enabled": false },
                "webhook": { "enabled": true, "cacheTTL": "10s" },
                "x509": { "clientCAFile": authority.certificate() },
            },
            "authorization": { "mode": "Webhook" },
            "tlsCertFile": certificate, "tlsPrivateKeyFile": key,
            "containerRuntimeEndpoint": format!("unix://{}", self.socket().display()),
            "podLogsDir": self.folder.join("pod-logs"),
            "volumePluginDir": self.folder.join("volume-plugins"),
            "clusterDNS": [DNS_ADDRESS], "clusterDomain": "cluster.local", "resolvConf": "/dev/null",
            "cgroupDriver": "cgroupfs", "cgroupRoot": format!("/{}", self.cgroup), "failCgroupV1": false,
            "enforceNodeAllocatable": [], "localStorageCapacityIsolation": false, "failSwapOn": false,
            "makeIPTablesUtilChains": false, "evictionHard": {}, "maxPods": 110, "registerNode": true,
            "imageGCHighThresholdPercent": 100, "imageMinimumGCAge": "24h", "syncFrequency": "10s",
            "nodeStatusUpdateFrequency": "2s", "readOnlyPort": 0, "healthzBindAddress": "127.0.0.1",
            "streamingConnectionIdleTimeout": "4h0m0s", "shutdownGracePeriod": "0s",
        })
    }

    /// Configuration version 3 (containerd 2). Scores of the OOM killer cannot be lowered without CAP_SYS_RESOURCE.
    fn write_containerd(&self, wanted: &Wanted<'_>) -> Result<()> {
        let folder = self.folder.display();
        let mut plugin_folders: Vec<&Path> = wanted.plugin_folder.into_iter().collect();
        plugin_folders.push(Path::new("/usr/lib/cni"));
        // Strings of JSON are strings of TOML.
        let plugin_folders = json!(plugin_folders);
        let text = format!(
            r#"version = 3
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
address = "{folder}/containerd.sock"
[ttrpc]
address = "{folder}/containerd.sock.ttrpc"
[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE}"
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = {plugin_folders}
conf_dir = "{folder}/cni"
[plugins."io.containerd.cri.v1.runtime".containerd]
default_runtime_name = "runc"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."io.containerd.nri.v1.nri"]
disable = false
socket_path = "{folder}/nri.sock"
plugin_path = "{folder}/nri-plugins"
plugin_config_path = "{folder}/nri-conf"
"#
        );
        fs::write(self.folder.join("containerd.toml"), text)
            .context("writing containerd's configuration")
    }

    fn write_network(&self, wanted: &Wanted<'_>) -> Result<()> {
        let mut plugins = vec![
            json!({
                "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipMasq": false,
                "ipam": {
                    "type": "host-local", "dataDir": self.folder.join("cni-state"),
                    "ranges": [[{ "subnet": pod_network(self.number) }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                },
            }),
            json!({ "type": "portmap", "capabilities": { "portMappings": true } }),
        ];
        plugins.extend(wanted.chained_plugins.iter().cloned());
        let list = json!({ "cniVersion": "1.0.0", "name": "testbed", "plugins": plugins });
        fs::write(self.folder.join("cni/10-testbed.conflist"), list.to_string())
            .context("writing the nodes' network")
    }

    fn write(&self, name: &str, value: &serde_json::Value) -> Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, serde_json::to_string_pretty(value)?)?;
        Ok(path)
    }
}

/// Where containerd of a node listens.
pub(crate) fn socket(folder: &Path, number: usize) -> PathBuf {
    folder.join(node_name(number)).join("containerd.sock")
}
