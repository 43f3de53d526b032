//! The names of everything on a site.

use std::collections::BTreeMap;

use kdp_core::WorkspacePath;

use super::{
    names,
    site::{KindInput, OrderInput, ServiceInput, Site},
};

/// A site and the names of what is on it, each unique among its like.
pub(super) struct Directory<'a> {
    pub(super) site: &'a Site,
    /// By the service's key.
    pub(super) services: BTreeMap<String, (String, &'a ServiceInput)>,
    offers: Offers,
    /// By the kind's key.
    pub(super) kinds: BTreeMap<String, (String, &'a ServiceInput, &'a KindInput)>,
    /// By the order's key.
    pub(super) orders: BTreeMap<String, (String, &'a OrderInput)>,
    /// By category.
    pub(super) domains: BTreeMap<String, String>,
    /// By team.
    pub(super) teams: BTreeMap<&'a str, String>,
    /// By path, with the team that works there.
    pub(super) workspaces: BTreeMap<WorkspacePath, (String, &'a str)>,
}

/// Which services orders mean.
pub(super) struct Offers(BTreeMap<String, String>);

impl Offers {
    /// Of these services, by their keys. A name that several have means the first.
    pub(super) fn of(services: &BTreeMap<String, &ServiceInput>) -> Self {
        let names = services.iter().rev().map(|(key, service)| (service.entry.export.name.clone(), key.clone()));
        let keys = services.keys().map(|key| (key.clone(), key.clone()));
        Self(names.chain(keys).collect())
    }

    /// The key of the service that an order is of.
    pub(super) fn key(&self, order: &OrderInput) -> Option<&str> {
        self.0.get(&order.service).map(String::as_str)
    }
}

impl<'a> Directory<'a> {
    pub(super) fn of(site: &'a Site) -> Self {
        let services = site.services_by_key();
        let categories = services.values().map(|service| category(service)).filter(|category| !category.is_empty());
        let domains = names::assign(categories.map(|category| (category.to_owned(), category.to_owned())));

        let mut kinds = BTreeMap::new();
        for service in services.values() {
            kinds.extend(service.kinds_by_key().into_iter().map(|(key, kind)| (key, (*service, kind))));
        }
        let kind_names = names::assign(kinds.iter().map(|(key, (_, kind))| (key.clone(), kind.readable_name())));
        let service_names =
            names::assign(services.iter().map(|(key, service)| (key.clone(), service.entry.export.name.clone())));
        let orders = site.orders_by_key();
        let order_names = names::assign(orders.iter().map(|(key, order)| (key.clone(), order.readable_name())));

        // Teams and workspaces are all Groups, so they share their names.
        let owners = site.workspace_owners();
        let teams = site.teams();
        let team_key = |team: &str| format!("team {team}");
        let workspace_key = |path: &WorkspacePath| format!("workspace {path}");
        let groups = names::assign(
            owners
                .keys()
                .map(|path| (workspace_key(path), path.as_str().replace(':', ".")))
                .chain(teams.iter().map(|team| (team_key(team), (*team).to_owned()))),
        );
        Self {
            site,
            offers: Offers::of(&services),
            kinds: kinds
                .into_iter()
                .filter_map(|(key, (service, kind))| {
                    Some((key.clone(), (kind_names.get(&key)?.clone(), service, kind)))
                })
                .collect(),
            services: zipped(services, &service_names),
            orders: zipped(orders, &order_names),
            domains,
            teams: teams.iter().filter_map(|team| Some((*team, groups.get(&team_key(team))?.clone()))).collect(),
            workspaces: owners
                .into_iter()
                .filter_map(|(path, owner)| {
                    let name = groups.get(&workspace_key(&path))?.clone();
                    Some((path, (name, owner)))
                })
                .collect(),
        }
    }

    /// Name of a team; the platform's when nobody is named.
    pub(super) fn team(&self, team: &str) -> &str {
        self.teams.get(self.site.or_owner(team)).map_or("platform", String::as_str)
    }

    /// Name of a workspace, if there is talk of it.
    pub(super) fn workspace(&self, path: &WorkspacePath) -> Option<&str> {
        self.workspaces.get(path).map(|(name, _)| name.as_str())
    }

    /// The nearest workspace above that there is talk of, and its name.
    pub(super) fn workspace_above(&self, path: &WorkspacePath) -> Option<(WorkspacePath, &str)> {
        std::iter::successors(path.parent(), WorkspacePath::parent)
            .find_map(|path| self.workspace(&path).map(|name| (path.clone(), name)))
    }

    /// Name of the shelf a service is on.
    pub(super) fn domain(&self, service: &ServiceInput) -> Option<&str> {
        self.domains.get(category(service)).map(String::as_str)
    }

    /// The service an order is of, and its name.
    pub(super) fn service_of(&self, order: &OrderInput) -> Option<(&str, &'a ServiceInput)> {
        let (name, service) = self.services.get(self.offers.key(order)?)?;
        Some((name, service))
    }

    /// Names of the kinds of a service.
    pub(super) fn kinds_of(&self, service: &ServiceInput) -> impl Iterator<Item = &str> {
        service.kinds_by_key().into_keys().filter_map(|key| self.kinds.get(&key).map(|(name, _, _)| name.as_str()))
    }
}

/// The shelf a service is on; empty when it is on none or that may not be seen.
pub(super) fn category(service: &ServiceInput) -> &str {
    service.entry.details.as_ref().map_or("", |details| details.category.trim())
}

fn zipped<T>(subjects: BTreeMap<String, T>, names: &BTreeMap<String, String>) -> BTreeMap<String, (String, T)> {
    subjects
        .into_iter()
        .filter_map(|(key, subject)| {
            let name = names.get(&key)?.clone();
            Some((key, (name, subject)))
        })
        .collect()
}
