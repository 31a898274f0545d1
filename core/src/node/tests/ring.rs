//! Orders of operators, and how the ring comes to be.

use super::*;

#[test]
fn the_ring_is_laid_once_and_over_members_that_are_up() {
    let order = |plan| Input::Order(TOKEN, Order::Bootstrap { plan, seal: Seal([0; 16]) });
    let obeyed = |result| Effect::Obeyed(TOKEN, result);
    let mut a = meet(Node::new(config(None)), &[B]);
    let not_up = obeyed(Err(OrderRefused::NotUp(C)));
    assert_eq!(handle(&mut a, now(0), order(plan(&[A, B, C]))), [not_up]);
    assert_eq!(handle(&mut a, now(0), put(&Key::plain("k"))), [refused(Refusal::NoRing)]);
    assert!(!a.is_ready(now(0)));

    let mut a = meet(a, &[C]);
    let laid = handle(&mut a, now(0), order(plan(&[A, B, C])));
    let ring = a.ring().unwrap().clone();
    assert_eq!(laid[0], Effect::Persist(Record::Ring(ring)));
    assert_eq!(laid.last(), Some(&obeyed(Ok(1))));
    assert!(a.is_ready(now(0)));

    assert_eq!(handle(&mut a, now(0), order(plan(&[A, B, C]))), [obeyed(Ok(1))]);
    let second = Plan { operation: "second".into(), ..plan(&[A, B, C]) };
    let exists = OrderRefused::RingExists { operation: "first".into(), epoch: 1 };
    assert_eq!(handle(&mut a, now(0), order(second)), [obeyed(Err(exists))]);
}

#[test]
fn a_node_that_is_told_to_stop_tells_the_others_and_takes_nothing_more() {
    let mut a = node_in(&[A, B, C]);
    handle(&mut a, now(0), get(&Key::plain("k")));
    let out = handle(&mut a, now(1), Input::Order(TOKEN, Order::Stop));
    let told: Vec<_> = out
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(to, Message::Gossip(g)) if g.stage.entries()[0].member.stopping => {
                Some(*to)
            }
            _ => None,
        })
        .collect();
    assert_eq!(told, [B, C]);
    assert_eq!(out.last(), Some(&Effect::Obeyed(TOKEN, Ok(1))));
    assert_eq!(handle(&mut a, now(2), put(&Key::plain("k"))), [refused(Refusal::Stopping)]);
    assert!(!a.is_ready(now(2)));
    assert_eq!(a.in_flight(), 1, "what it has begun it ends");
}

/// Two nodes are told to lay the ring while they do not hear each other. Both rings are
/// of epoch 1; when the nodes meet again they must agree on one of them.
#[test]
fn two_rings_that_were_laid_apart_become_one() {
    let mut nodes = [A, B].map(|id| {
        let mut config = config(None);
        config.member = member(id);
        Node::new(config)
    });
    for (node, (other, seal)) in nodes.iter_mut().zip([(B, 1), (A, 2)]) {
        handle(node, now(0), told(other, vec![member(other)], RingTag::default()));
        let plan = Plan { factor: 2, ..plan(&[A, B]) };
        let order = Order::Bootstrap { plan, seal: Seal([seal; 16]) };
        handle(node, now(0), Input::Order(TOKEN, order));
    }
    let tag = |node: &Node| node.ring().map(|r| r.tag());
    assert_ne!(tag(&nodes[0]), tag(&nodes[1]));

    let mut sent = vec![(A, handle(&mut nodes[0], now(1_000), Input::Tick))];
    while let Some((from, effects)) = sent.pop() {
        for effect in effects {
            if let Effect::Send(to, message) = effect {
                let receiver = &mut nodes[usize::from(to == B)];
                let said = Input::Message(from, FIRST, message);
                sent.push((to, handle(receiver, now(1_000), said)));
            }
        }
    }
    assert_eq!(tag(&nodes[0]), tag(&nodes[1]));
}

#[test]
fn a_node_whose_disk_was_put_back_to_an_older_state_takes_no_requests() {
    let mut a = node_in(&[A, B, C]);
    let later = Member { generation: Generation(2), ..member(A) };
    let out = handle(&mut a, now(0), told(B, vec![member(B), later], RingTag::MAX));
    assert_eq!(out, [Effect::Note(Note::Superseded)]);
    assert_eq!(handle(&mut a, now(0), put(&Key::plain("k"))), [refused(Refusal::Stopping)]);
    assert!(!a.is_ready(now(0)));
}

/// A disk was lost, and the node is told to lay a ring as if it were the first.
#[test]
fn no_ring_is_laid_where_another_node_has_one() {
    let mut a = meet(Node::new(config(None)), &[B]);
    let old_hand = Member { ring_epoch: 1, heartbeat: 1, ..member(C) };
    handle(&mut a, now(0), told(C, vec![old_hand], RingTag::default()));
    let order = Order::Bootstrap { plan: plan(&[A, B, C]), seal: Seal([0; 16]) };
    let refused = Effect::Obeyed(TOKEN, Err(OrderRefused::RingElsewhere(C)));
    assert_eq!(handle(&mut a, now(0), Input::Order(TOKEN, order)), [refused]);
}
