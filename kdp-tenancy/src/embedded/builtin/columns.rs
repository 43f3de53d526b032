//! What `kubectl get` shows of Kubernetes' own kinds.

use crate::embedded::resource::PrinterColumn;

/// The columns of a kind after Name; `table` works out those without a JSON path.
pub(super) fn of(group: &str, plural: &str) -> Vec<PrinterColumn> {
    match (group, plural) {
        ("", "configmaps") => vec![computed("Data", "Number of entries."), PrinterColumn::age()],
        ("", "events") => vec![
            computed("Last Seen", "Time since the event was last seen."),
            path("Type", ".type", "Normal or Warning."),
            path("Reason", ".reason", "Why, as one word for programs."),
            computed("Object", "The object the event is about."),
            wide(path("Subobject", ".involvedObject.fieldPath", "The part of the object.")),
            wide(computed("Source", "The component that reported the event.")),
            computed("Message", "What happened, for people."),
            wide(computed("First Seen", "Time since the event was first seen.")),
            wide(computed("Count", "How often the event was seen.")),
            wide(PrinterColumn { format: "name".into(), ..path("Name", ".metadata.name", "Name of the event.") }),
        ],
        ("", "namespaces") => {
            vec![path("Status", ".status.phase", "Active or Terminating."), PrinterColumn::age()]
        }
        ("", "resourcequotas") => vec![
            computed("Request", "Used and allowed, of everything but limits."),
            computed("Limit", "Used and allowed, of limits."),
            PrinterColumn::age(),
        ],
        ("", "secrets") => vec![
            path("Type", ".type", "What the data is for."),
            computed("Data", "Number of entries."),
            PrinterColumn::age(),
        ],
        ("", "serviceaccounts") => vec![computed("Secrets", "Number of secrets."), PrinterColumn::age()],
        ("coordination.k8s.io", "leases") => {
            vec![path("Holder", ".spec.holderIdentity", "Who holds the lease."), PrinterColumn::age()]
        }
        ("rbac.authorization.k8s.io", "clusterrolebindings" | "rolebindings") => vec![
            computed("Role", "The role that is granted."),
            PrinterColumn::age(),
            wide(computed("Users", "Users it is granted to.")),
            wide(computed("Groups", "Groups it is granted to.")),
            wide(computed("ServiceAccounts", "Service accounts it is granted to.")),
        ],
        _ => vec![path("Created At", ".metadata.creationTimestamp", "When the object was created.")],
    }
}

fn path(name: &str, json_path: &str, description: &str) -> PrinterColumn {
    PrinterColumn { json_path: json_path.into(), ..computed(name, description) }
}

fn computed(name: &str, description: &str) -> PrinterColumn {
    PrinterColumn {
        name: name.into(),
        type_: "string".into(),
        description: description.into(),
        ..PrinterColumn::default()
    }
}

fn wide(column: PrinterColumn) -> PrinterColumn {
    PrinterColumn { priority: 1, ..column }
}
