//! One comparison of this node's tree with a peer's, from the roots down.
//!
//! It goes depth first and in ring order, one question at a time, and keeps only the
//! branches that are still to be looked at: those partitions that differ, and at each
//! depth below at most 16·[`NODES`] nodes. Both sides answer the same question; what they
//! answer alike is looked at no further.
//!
//! Equal replicas cost one question. Every exchange finds each key that differs from
//! the beginning to the end of it, and none that is the same all the time.
//!
//! A leaf that differs is listed whole, for there is nothing below it: so a partition part
//! with very many sort parts, all in one leaf, costs its whole list for one difference.

use super::{
    Answer, BadQuestion, FAN_OUT, Hash, LEAF_DEPTH, NODES, Node, Page, Question,
    question::check_partitions,
};
use crate::{key::Key, ring::Partition};
use std::{collections::BTreeMap, fmt, iter::zip};

/// The most leaves that are listed together.
const LEAVES: usize = 64;

/// Compares the partitions that two nodes both hold.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Branches that differ, the first in ring order on top.
    stack: Vec<Branch>,
    /// The question that waits for its answers.
    question: Option<Question>,
    /// Keys that were found and not yet told.
    differ: Vec<Key>,
    counts: Counts,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask this node's own replica and the peer, and hand in both answers.
    Ask(Question),
    /// Bring these keys, of one leaf and in stored order, to the same state on both sides.
    /// They are told once.
    Differ(Vec<Key>),
    /// All is compared.
    Done,
}

/// What an exchange has cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Questions that were answered.
    pub questions: u64,
    /// Sums that the peer sent, of partitions and nodes.
    pub nodes: u64,
    /// Keys that the peer listed.
    pub keys: u64,
    /// Keys that were found to differ.
    pub differ: u64,
}

/// Whose answer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This node's.
    Own,
    /// The peer's.
    Peer,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Own => "this node's own",
            Side::Peer => "the peer's",
        })
    }
}

/// Answers that are not to the question. Nothing has changed: it may be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// No question waits.
    #[error("an answer although nothing was asked")]
    Unasked,
    /// It is to another question, or breaks a rule.
    #[error("{side} answer does not fit the question: {why}")]
    Unfit {
        /// Whose.
        side: Side,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// A node to be looked at, or some of its children. Both sides' sums over them differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Branch {
    node: Node,
    /// One bit per child. A partition can begin between two depths, and then it does not
    /// have all children of the node that it is in.
    children: u16,
}

impl Exchange {
    /// Will compare these of the `q` partitions of the ring.
    pub fn new(mut partitions: Vec<Partition>, q: usize) -> Result<Self, BadQuestion> {
        check_partitions(&partitions, q)?;
        partitions.sort_unstable();
        partitions.dedup();
        let any = !partitions.is_empty();
        Ok(Exchange {
            stack: Vec::new(),
            question: any.then_some(Question::Roots { partitions, q }),
            differ: Vec::new(),
            counts: Counts::default(),
        })
    }

    /// What to do next. A question is repeated until it is answered.
    #[expect(clippy::should_implement_trait, reason = "every step needs the answer to the last")]
    pub fn next(&mut self) -> Step {
        if !self.differ.is_empty() {
            return Step::Differ(std::mem::take(&mut self.differ));
        }
        if self.question.is_none() {
            self.question = self.choose();
        }
        self.question.clone().map_or(Step::Done, Step::Ask)
    }

    /// Takes both answers to the question that [`Exchange::next`] gave last.
    pub fn answered(&mut self, own: Answer, theirs: Answer) -> Result<(), BadAnswer> {
        let question = self.question.as_ref().ok_or(BadAnswer::Unasked)?;
        fits(Side::Own, question, &own)?;
        fits(Side::Peer, question, &theirs)?;
        self.counts.questions += 1;
        self.counts.count(&theirs);
        match (self.question.take(), own, theirs) {
            (
                Some(Question::Roots { partitions, q }),
                Answer::Roots(own),
                Answer::Roots(theirs),
            ) => {
                self.compare_roots(&partitions, q, &own, &theirs);
            }
            (_, Answer::Children(own), Answer::Children(theirs)) => {
                self.compare_children(&own, &theirs);
            }
            (Some(Question::Keys { first, last, .. }), Answer::Keys(own), Answer::Keys(theirs)) => {
                self.compare_keys((first, last), own, theirs);
            }
            _ => {} // Not possible: all three are of one kind.
        }
        Ok(())
    }

    /// What it has cost so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many branches are still to be looked at: what it keeps in memory.
    pub fn waiting(&self) -> usize {
        self.stack.len()
    }

    /// The question about the top of the stack: as many nodes of one depth as fit, so that
    /// the nodes of each depth are used up before one above them is opened.
    fn choose(&self) -> Option<Question> {
        let Node { depth, index } = self.stack.last()?.node;
        Some(if depth == LEAF_DEPTH {
            // Neighbours are listed together: where much differs, all of them do.
            let below = self.stack.iter().rev().map(|branch| branch.node);
            let run = below
                .zip(index..=u16::MAX)
                .take_while(|(node, expected)| node.depth == LEAF_DEPTH && node.index == *expected);
            let last = run.take(LEAVES).last().map_or(index, |(node, _)| node.index);
            Question::Keys { first: index, last, after: None }
        } else {
            let nodes = self.stack.iter().rev().map(|branch| branch.node);
            Question::Children(nodes.take_while(|n| n.depth == depth).take(NODES).collect())
        })
    }

    fn compare_roots(&mut self, partitions: &[Partition], q: usize, own: &[Hash], theirs: &[Hash]) {
        for (&partition, (own, theirs)) in zip(partitions, zip(own, theirs)).rev() {
            if own == theirs {
                continue;
            }
            let branch = Branch::of(partition, q);
            match self.stack.last_mut() {
                Some(last) if last.node == branch.node => last.children |= branch.children,
                _ => self.stack.push(branch),
            }
        }
    }

    fn compare_children(&mut self, own: &[[Hash; FAN_OUT]], theirs: &[[Hash; FAN_OUT]]) {
        let batch = self.stack.split_off(self.stack.len().saturating_sub(own.len()));
        for (branch, (own, theirs)) in zip(batch, zip(own, theirs).rev()) {
            for child in (0..16).rev() {
                let ours = branch.children & (1 << child) != 0;
                if ours && own[usize::from(child)] != theirs[usize::from(child)] {
                    self.stack.push(Branch::whole(branch.node.child(child)));
                }
            }
        }
    }

    /// Pages can end at different keys. What lies behind the end of the shorter one is not
    /// known of both sides; it is asked for again.
    fn compare_keys(&mut self, (first, last): (u16, u16), own: Page, theirs: Page) {
        let end = |page: &Page| page.keys.last().filter(|_| page.more).map(|(key, _)| key.clone());
        let end = end(&own).into_iter().chain(end(&theirs)).min();
        let mut pairs = BTreeMap::<Key, (Hash, Hash)>::new();
        own.keys.into_iter().for_each(|(key, hash)| pairs.entry(key).or_default().0 = hash);
        theirs.keys.into_iter().for_each(|(key, hash)| pairs.entry(key).or_default().1 = hash);
        let known = |key: &Key| end.as_ref().is_none_or(|end| key <= end);
        let differ = pairs.into_iter().filter(|(key, (own, theirs))| own != theirs && known(key));
        let before = self.differ.len();
        self.differ.extend(differ.map(|(key, _)| key));
        self.counts.differ += (self.differ.len() - before) as u64;
        if end.is_some() {
            self.question = Some(Question::Keys { first, last, after: end });
        } else {
            let done = usize::from(last - first) + 1;
            self.stack.truncate(self.stack.len().saturating_sub(done));
        }
    }
}

impl Counts {
    fn count(&mut self, theirs: &Answer) {
        match theirs {
            Answer::Roots(sums) => self.nodes += sums.len() as u64,
            Answer::Children(sums) => self.nodes += (sums.len() * FAN_OUT) as u64,
            Answer::Keys(page) => self.keys += page.keys.len() as u64,
        }
    }
}

impl Branch {
    fn whole(node: Node) -> Self {
        Branch { node, children: u16::MAX }
    }

    /// The partition `index` of `q`: a node, or some neighbouring children of one.
    fn of(Partition(index): Partition, q: usize) -> Self {
        let bits = q.trailing_zeros();
        let (depth, rest) = (bits / 4, bits % 4);
        let count = FAN_OUT >> rest;
        let first = count * (usize::from(index) % (1 << rest));
        let children = (first..first + count).fold(0, |mask, child| mask | 1 << child);
        let depth = u8::try_from(depth).unwrap_or(LEAF_DEPTH);
        Branch { node: Node { depth, index: index >> rest }, children }
    }
}

impl Node {
    fn child(self, child: u16) -> Node {
        Node { depth: self.depth + 1, index: self.index << 4 | child }
    }
}

fn fits(side: Side, question: &Question, answer: &Answer) -> Result<(), BadAnswer> {
    let counted = |asked, answered| match asked == answered {
        true => Ok(()),
        false => Err("not one answer for each that was asked for"),
    };
    let result = match (question, answer) {
        (Question::Roots { partitions, .. }, Answer::Roots(sums)) => {
            counted(partitions.len(), sums.len())
        }
        (Question::Children(nodes), Answer::Children(sums)) => counted(nodes.len(), sums.len()),
        (Question::Keys { first, last, after }, Answer::Keys(page)) => {
            page.check(*first..=*last, after.as_ref())
        }
        _ => Err("it is of another kind"),
    };
    result.map_err(|why| BadAnswer::Unfit { side, why })
}
