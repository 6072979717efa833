//! Transactions: which changes go together, and whose fault a refused one is. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::decide::Work;
use super::node::Node;
use crate::registries::consul::http::Refusal;

/// The server takes twice as many in one transaction,
const MOST_OPERATIONS: usize = 64;
/// and twice as many bytes. What is larger isn't answered: it ends the connection.
const MOST_BYTES: usize = 256 * 1024;

/// Cuts work into what goes into one transaction each, in its order. The operations of one change stay together.
pub(super) fn batches(all: Vec<Work>) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for work in all {
        let (operations, bytes) = size(&work);
        match batches.last_mut() {
            Some(last)
                if last.operations + operations <= MOST_OPERATIONS && last.bytes + bytes <= MOST_BYTES =>
            {
                last.operations += operations;
                last.bytes += bytes;
                last.works.push(work);
            }
            _ => batches.push(Batch { works: vec![work], operations, bytes }),
        }
    }
    batches
}

/// With its node, though that is needed only once.
fn size(work: &Work) -> (usize, usize) {
    let bytes = |operation: &Value| operation.to_string().len() + 1;
    let all: usize = work.operations.iter().map(bytes).sum();
    (work.operations.len() + 1, all + bytes(&work.node.set()))
}

/// One transaction.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) works: Vec<Work>,
    operations: usize,
    bytes: usize,
}

impl Batch {
    /// The nodes that have to be there, each once.
    pub(super) fn nodes(&self) -> Vec<Value> {
        let needed = self.works.iter().filter(|work| work.needs_node);
        let mut nodes: Vec<&Node> = needed.map(|work| &work.node).collect();
        nodes.sort();
        nodes.dedup();
        nodes.into_iter().map(Node::set).collect()
    }

    /// Takes out the changes whose operations were refused, each with the reason; all of them where it is a node's.
    pub(super) fn take_out<'a>(&mut self, refusals: &'a [Refusal]) -> BTreeMap<usize, &'a Refusal> {
        let mut taken_out = BTreeMap::new();
        for refusal in refusals {
            match self.change_of(refusal.operation) {
                Some(change) => drop(taken_out.entry(change).or_insert(refusal)),
                None => {
                    return std::mem::take(&mut self.works)
                        .iter()
                        .map(|work| (work.change, refusal))
                        .collect();
                }
            }
        }
        self.works.retain(|work| !taken_out.contains_key(&work.change));
        taken_out
    }

    /// The change that an operation of the transaction belongs to; `None` for that of a node.
    fn change_of(&self, operation: usize) -> Option<usize> {
        let mut end = self.nodes().len();
        if operation < end {
            return None;
        }
        let holds = |work: &&Work| {
            end += work.operations.len();
            operation < end
        };
        self.works.iter().find(holds).map(|work| work.change)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sync::Mark;

    fn work(change: usize, task: &str, operations: usize, bytes: usize) -> Work {
        let mark = Mark { origin: "n".into(), owner: "o".into(), task: task.into() };
        let operations = vec![json!("x".repeat(bytes)); operations];
        Work { change, node: Node::of(&mark), needs_node: true, operations, leave: 0 }
    }

    fn changes(batches: &[Batch]) -> Vec<Vec<usize>> {
        batches.iter().map(|batch| batch.works.iter().map(|work| work.change).collect()).collect()
    }

    #[test]
    fn no_batch_is_too_large_and_the_order_stays() {
        let many = batches((0..100).map(|n| work(n, "t", 3, 10)).collect());
        assert!(many.iter().all(|batch| batch.operations <= MOST_OPERATIONS));
        assert_eq!(changes(&many).concat(), (0..100).collect::<Vec<_>>());
        let heavy = batches((0..5).map(|n| work(n, "t", 1, 100_000)).collect());
        assert_eq!(changes(&heavy), [vec![0, 1], vec![2, 3], vec![4]]);
        let lone = batches(vec![work(0, "t", 70, 10), work(1, "t", 1, 10)]);
        assert_eq!(changes(&lone), [[0], [1]], "what belongs together stays together");
    }

    #[test]
    fn what_is_refused_goes_alone_and_a_node_takes_all_with_it() {
        let batch = || batches(vec![work(4, "a", 2, 1), work(5, "b", 1, 1), work(6, "a", 1, 1)]).remove(0);
        let refusal = |operation: usize| Refusal { operation, words: operation.to_string() };
        let taken_out = |refused: &[usize]| {
            let (mut batch, refusals) = (batch(), refused.iter().copied().map(refusal).collect::<Vec<_>>());
            let out: Vec<(usize, String)> = batch
                .take_out(&refusals)
                .into_iter()
                .map(|(change, refusal)| (change, refusal.words.clone()))
                .collect();
            (out, batch.works.iter().map(|work| work.change).collect::<Vec<_>>())
        };
        let text = |at: usize| at.to_string();
        assert_eq!(batch().nodes().len(), 2);
        assert_eq!(taken_out(&[3, 2]), (vec![(4, text(3))], vec![5, 6]));
        assert_eq!(taken_out(&[4, 5]), (vec![(5, text(4)), (6, text(5))], vec![4]));
        let all = vec![(4, text(1)), (5, text(1)), (6, text(1))];
        assert_eq!(taken_out(&[1, 4]), (all, vec![]));
        assert_eq!(taken_out(&[9]).1, [0; 0], "an operation that wasn't sent");
    }
}
