//! The order of nodes, or the cycle that leaves none.

use std::{cmp::Reverse, collections::BinaryHeap};

/// Nodes by position, each after what it depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    /// Positions; of those that could come next, always the first in the list.
    pub(super) sequence: Vec<usize>,
    /// How many nodes are on the longest way down from each, so that a wave needs only lower ones.
    pub(super) waves: Vec<u32>,
}

/// Orders nodes whose dependencies are given by position.
///
/// # Errors
/// A cycle, from its first node in the list around to that node again.
pub(super) fn order(dependencies: &[Vec<usize>]) -> Result<Order, Vec<usize>> {
    let mut open: Vec<usize> = dependencies.iter().map(Vec::len).collect();
    let mut dependents = vec![Vec::new(); dependencies.len()];
    for (node, on) in dependencies.iter().enumerate() {
        for &dependency in on {
            dependents[dependency].push(node);
        }
    }
    let mut next: BinaryHeap<_> = (0..open.len()).filter(|&node| open[node] == 0).map(Reverse).collect();
    let mut sequence = Vec::with_capacity(open.len());
    let mut waves = vec![0; open.len()];
    while let Some(Reverse(node)) = next.pop() {
        sequence.push(node);
        for &dependent in &dependents[node] {
            waves[dependent] = waves[dependent].max(waves[node] + 1);
            open[dependent] -= 1;
            if open[dependent] == 0 {
                next.push(Reverse(dependent));
            }
        }
    }
    if sequence.len() == open.len() { Ok(Order { sequence, waves }) } else { Err(cycle(dependencies, &open)) }
}

/// A cycle among the nodes that are still open: following dependencies that are open must come around.
fn cycle(dependencies: &[Vec<usize>], open: &[usize]) -> Vec<usize> {
    let is_open = |node: usize| open[node] > 0;
    let mut way: Vec<usize> = (0..open.len()).find(|&node| is_open(node)).into_iter().collect();
    while let Some(&last) = way.last() {
        let Some(&next) = dependencies[last].iter().find(|&&dependency| is_open(dependency)) else { break };
        if let Some(start) = way.iter().position(|&node| node == next) {
            way.drain(..start);
            break;
        }
        way.push(next);
    }
    let first = (0..way.len()).min_by_key(|&at| way[at]).unwrap_or_default();
    way.rotate_left(first);
    way.extend(way.first().copied());
    way
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn what_could_come_next_comes_in_the_order_of_the_list() {
        let order = order(&[vec![3], vec![], vec![1, 0], vec![]]).unwrap();
        assert_eq!(order.sequence, [1, 3, 0, 2]);
        assert_eq!(order.waves, [1, 0, 2, 0]);
    }

    #[test]
    fn a_cycle_is_shown_without_what_only_leads_to_it() {
        assert_eq!(order(&[vec![2], vec![], vec![3], vec![2, 1]]), Err(vec![2, 3, 2]));
        assert_eq!(order(&[vec![], vec![1]]), Err(vec![1, 1]));
    }
}
