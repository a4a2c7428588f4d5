//! `weir gateway install`.

use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use bypass_checks::{
    BreakGlass, GATEWAY_IDENTITY, GatewayIdentity, Impersonation, Installation, PolicyMode,
    Requests, ServiceAccount,
};
use std::io::Write as _;

/// Write the objects that let the gateway into a cluster, and refuse what it does not record
///
/// Prints YAML for `kubectl apply --server-side -f -`: the gateway's identity and role, a ValidatingAdmissionPolicy
/// that refuses exec, attach, port-forward, ephemeral containers and proxies without a session, cluster admins included,
/// and one that marks each use of a break-glass identity in the audit log. Nothing is applied.
#[derive(Debug, clap::Args)]
pub(crate) struct InstallArgs {
    /// As whom the gateway speaks to the API server: a service account's user, or the name in its certificate
    #[arg(long, value_name = "USER", default_value = GATEWAY_IDENTITY)]
    gateway_identity: String,

    /// For which requests the gateway may stand for a caller
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    requests: RequestsArgument,

    /// For API servers before 1.36: whoever has the gateway's credentials can do what any user can
    #[arg(long, conflicts_with = "requests")]
    legacy_impersonation: bool,

    /// A group that the gateway may give callers; all but system:masters where none is given. May be given again
    #[arg(long, value_name = "GROUP")]
    caller_group: Vec<String>,

    /// A service account that may call through the gateway. May be given again
    #[arg(long, value_name = "NAMESPACE/NAME")]
    service_account: Vec<ServiceAccount>,

    #[command(flatten)]
    break_glass: BreakGlassArgs,

    /// A user that may use proxy sub-resources past the gateway, such as a monitoring system. May be given again
    #[arg(long, value_name = "USER")]
    component: Vec<String>,

    /// A namespace in which nothing is refused. May be given again
    #[arg(long, value_name = "NAMESPACE")]
    exempt_namespace: Vec<String>,

    /// Where people log in; the refusal tells them
    #[arg(long, value_name = "URL")]
    gateway_url: Option<String>,

    /// Warn and mark in the audit log what would be refused, and refuse nothing
    #[arg(long)]
    dry_run_audit: bool,
}

/// Who may pass the gateway in an emergency.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Break-glass")]
pub(crate) struct BreakGlassArgs {
    /// A user that may pass the gateway; each use is marked and raises an alert. May be given again
    #[arg(long, value_name = "USER")]
    break_glass_user: Vec<String>,

    /// The same of a group. May be given again
    #[arg(long, value_name = "GROUP")]
    break_glass_group: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum RequestsArgument {
    /// What is recorded, and what clients look up for it
    #[default]
    Sessions,
    /// And every read
    Reads,
    /// Everything that the caller may
    Everything,
}

impl BreakGlassArgs {
    pub(crate) fn identities(&self) -> BreakGlass {
        BreakGlass { users: self.break_glass_user.clone(), groups: self.break_glass_group.clone() }
    }
}

impl InstallArgs {
    fn installation(&self) -> Installation {
        let requests = match self.requests {
            RequestsArgument::Sessions => Requests::Sessions,
            RequestsArgument::Reads => Requests::Reads,
            RequestsArgument::Everything => Requests::Everything,
        };
        Installation {
            gateway: GatewayIdentity::of_user(&self.gateway_identity),
            impersonation: if self.legacy_impersonation {
                Impersonation::Legacy
            } else {
                Impersonation::Constrained(requests)
            },
            groups: self.caller_group.clone(),
            service_accounts: self.service_account.clone(),
            mode: if self.dry_run_audit { PolicyMode::Observe } else { PolicyMode::Refuse },
            break_glass: self.break_glass.identities(),
            components: self.component.clone(),
            exempt_namespaces: self.exempt_namespace.clone(),
            gateway_url: self.gateway_url.clone(),
        }
    }
}

pub(crate) fn run(args: &InstallArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let yaml = args.installation().yaml().map_err(|why| ExpectedError::Usage(why.to_string()))?;
    console.out.write_all(yaml.as_bytes())?;
    Ok(Outcome::Yes)
}
