//! What to try next, as commands that can be copied.

use std::path::{Path, PathBuf};

use kdp_core::{Error, Identity, WorkspacePath};

use super::{
    data_dir::DataDir,
    screen,
    site::{SERVICE, Site},
    tenant::Tenant,
    tour::NAMESPACE,
};

/// The kubeconfig files of a running platform.
#[derive(Debug)]
pub(super) struct Kubeconfigs {
    admin: PathBuf,
    service_cluster: PathBuf,
    tenants: Vec<PathBuf>,
}

impl Kubeconfigs {
    /// Writes them; each is for the account that runs this alone.
    pub(super) fn write(site: &Site, data_dir: &DataDir, tenants: &[Tenant]) -> Result<Self, Error> {
        let (root, system) = (WorkspacePath::root(), Identity::system_masters());
        let tenant = |tenant: &Tenant| {
            Site::write_kubeconfig(data_dir, &site.control_plane, tenant.name, &tenant.workspace, &tenant.identity)
        };
        Ok(Self {
            admin: Site::write_kubeconfig(data_dir, &site.control_plane, "admin", &root, &system)?,
            service_cluster: Site::write_kubeconfig(
                data_dir,
                &site.service_cluster,
                "service-cluster",
                &root,
                &system,
            )?,
            tenants: tenants.iter().map(tenant).collect::<Result<_, _>>()?,
        })
    }

    /// Prints the commands.
    pub(super) fn print_guide(&self, site: &Site, data_dir: &DataDir) -> Result<(), Error> {
        let manifest = data_dir.write("manifests/database.yaml", include_str!("../../manifests/database.yaml"))?;
        let [a, b] = [0, 1].map(|index| self.tenants.get(index).map_or("", |path| path.to_str().unwrap_or_default()));
        let engines: Vec<_> = site.engines().map(|engine| engine.to_string()).collect();
        let (manifest, admin) = (manifest.display(), show(&self.admin));
        screen::line(format_args!("\nServing {} until Ctrl-C. In another terminal:\n", engines.join(" and ")));
        for (comment, commands) in [
            (
                "team-a uses the service, orders a database and gets its credentials",
                vec![
                    format!("export KUBECONFIG={a}"),
                    "kubectl api-resources --api-group databases.example.com".into(),
                    "kubectl explain database.spec".into(),
                    format!("kubectl apply -f {manifest}"),
                    format!("kubectl wait --for=condition=Ready database/orders -n {NAMESPACE} --timeout=60s"),
                    format!("kubectl get databases,secrets -n {NAMESPACE} -o wide"),
                    format!(
                        "kubectl get secret orders-credentials -n {NAMESPACE} -o jsonpath='{{.data.uri}}' | base64 -d"
                    ),
                ],
            ),
            (
                "team-b sees nothing of it",
                vec![
                    format!("kubectl --kubeconfig {b} get databases -A"),
                    format!("kubectl --kubeconfig {b} get secrets -A"),
                ],
            ),
            (
                "the platform's own view",
                vec![
                    format!("kubectl --kubeconfig {admin} get workspaces"),
                    format!("kubectl --kubeconfig {} get databases,secrets -A", show(&self.service_cluster)),
                ],
            ),
            (
                "storage may grow, not shrink; deletion releases everything",
                vec![
                    format!(
                        "kubectl patch database orders -n {NAMESPACE} --type merge -p '{{\"spec\":{{\"storage\":\"64Mi\"}}}}'"
                    ),
                    format!("kubectl delete database orders -n {NAMESPACE}"),
                ],
            ),
        ] {
            screen::line(format_args!("  # {comment}"));
            commands.iter().for_each(|command| screen::line(format_args!("  {command}")));
            screen::line("");
        }
        tracing::info!(service = SERVICE, "quickstart.serving");
        Ok(())
    }
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
