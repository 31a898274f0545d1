//! What a seed stands for, drawn before anything happens: the cluster, every fault with
//! its time, and every client with the number of its operations.
//!
//! All of them have chances of their own, so that each can be left out and the others
//! stay what they are. That is what lets a failure be shrunk, and a shrunk one be named:
//! a seed and what to [`Keep`] of its schedule.

use crate::{
    dice::Dice,
    faults::Fault,
    scenario::{OPERATIONS, Scenario},
};
use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

/// Everything about a run that is decided before it begins.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub(crate) scenario: Scenario,
    pub(crate) faults: Vec<Planned>,
    pub(crate) clients: Vec<PlannedClient>,
    /// The seed of everything else: delays, addresses, clocks.
    pub(crate) seed: u64,
}

/// A fault that is to happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned {
    /// Its place in the whole schedule, which it keeps in a shorter one.
    pub(crate) number: usize,
    /// Since the load began.
    pub(crate) at: Duration,
    pub(crate) fault: Fault,
    /// Which machine it hits, or which client.
    pub(crate) target: usize,
    pub(crate) lasts: Duration,
    /// Of all chance in it.
    pub(crate) seed: u64,
}

/// A client that is to work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlannedClient {
    /// How many operations it does: the first of its share, or none if it is left out.
    pub(crate) operations: usize,
    pub(crate) seed: u64,
}

/// The part of a schedule that is kept; `None` keeps all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Numbers of faults.
    pub faults: Option<Numbers>,
    /// Numbers of clients.
    pub clients: Option<Numbers>,
    /// How many operations each client does at most.
    pub operations: Option<usize>,
}

/// A set of numbers, on a command line `3,7,9` or `none`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers(pub BTreeSet<usize>);

impl Schedule {
    /// The schedule of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut scenario = Scenario::draw(&mut dice);
        let faults = draw_faults(&mut dice, &mut scenario);
        let operations = OPERATIONS / scenario.clients;
        let client = |_| PlannedClient { operations, seed: dice.any() };
        let clients = (0..scenario.clients).map(client).collect();
        Schedule { scenario, faults, clients, seed: dice.any() }
    }

    /// What is left when the rest is left out.
    pub fn keep(mut self, keep: &Keep) -> Self {
        if let Some(Numbers(kept)) = &keep.faults {
            self.faults.retain(|f| kept.contains(&f.number));
        }
        let most = keep.operations.unwrap_or(usize::MAX);
        for (c, client) in self.clients.iter_mut().enumerate() {
            let works = keep.clients.as_ref().is_none_or(|Numbers(kept)| kept.contains(&c));
            client.operations = if works { client.operations.min(most) } else { 0 };
        }
        self
    }

    pub(crate) fn fault_numbers(&self) -> BTreeSet<usize> {
        self.faults.iter().map(|f| f.number).collect()
    }

    /// Clients that do anything.
    pub(crate) fn client_numbers(&self) -> BTreeSet<usize> {
        (0..).zip(&self.clients).filter(|(_, p)| p.operations > 0).map(|(c, _)| c).collect()
    }

    /// How much the busiest client does.
    pub(crate) fn operations(&self) -> usize {
        self.clients.iter().map(|c| c.operations).max().unwrap_or_default()
    }
}

fn draw_faults(dice: &mut Dice, scenario: &mut Scenario) -> Vec<Planned> {
    let mut faults = Vec::new();
    let mut plan = |at, fault, target, lasts, dice: &mut Dice| {
        let number = faults.len();
        faults.push(Planned { number, at, fault, target, lasts, seed: dice.any() });
    };
    // These two are there from the start of the first process, before there is a load.
    plan(Duration::ZERO, Fault::LongDelays, 0, Duration::MAX, dice);
    if dice.chance(0.7) {
        plan(Duration::ZERO, Fault::Loss, 0, Duration::MAX, dice);
    }
    let load_ms = u64::try_from(scenario.load.as_millis()).unwrap_or(u64::MAX);
    for machine in scenario.members..scenario.nodes() {
        let at = dice.millis(0..=load_ms);
        plan(at, Fault::Join, machine, Duration::ZERO, dice);
    }
    let victims = draw_victims(dice, scenario);
    let allowed: Vec<_> = Fault::ALL.into_iter().filter(|_| dice.chance(0.6)).collect();
    let mut at = Duration::ZERO;
    loop {
        at += dice.millis(100..=scenario.calm);
        if at >= scenario.load {
            break;
        }
        let fault = match dice.pick(&Fault::LOSSES) {
            Some(loss) if !victims.is_empty() && dice.chance(0.1) => Some(loss),
            _ => dice.pick(&allowed),
        };
        let target = match fault {
            Some(fault) if fault.loses_data() => dice.pick(&victims).unwrap_or_default(),
            _ => dice.number(0..=scenario.nodes() - 1),
        };
        let lasts = dice.millis(scenario.lasts.clone());
        if let Some(fault) = fault {
            plan(at, fault, target, lasts, dice);
        }
    }
    // Nothing is reaped meanwhile, however long that is.
    if scenario.away {
        let (at, target) = (dice.millis(0..=8_000), dice.number(0..=scenario.members - 1));
        plan(at, Fault::Crash, target, dice.millis(20_000..=40_000), dice);
    }
    faults
}

/// The machines that may lose what they have stored, however often: fewer than there are
/// copies of any acknowledged write, so that one of these is on another machine.
fn draw_victims(dice: &mut Dice, scenario: &mut Scenario) -> Vec<usize> {
    if scenario.write_quorum < 2 || dice.chance(0.3) {
        return Vec::new();
    }
    let mut machines: Vec<_> = (0..scenario.nodes()).collect();
    let victims = dice.number(1..=scenario.write_quorum - 1);
    scenario.victims = victims;
    scenario.least_write = victims + 1;
    (0..victims).map(|_| machines.swap_remove(dice.number(0..=machines.len() - 1))).collect()
}

/// In words, a line for each fault.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = &self.scenario;
        writeln!(
            f,
            "{} nodes and {} that join, N={} R={} W={}; clients {}, up to {} operations each",
            s.members,
            s.late,
            s.factor,
            s.read_quorum,
            s.write_quorum,
            Numbers(self.client_numbers()),
            self.operations()
        )?;
        for Planned { number, at, fault, target, lasts, .. } in &self.faults {
            let what = fault.words(*target, self.clients.len());
            write!(f, "{:>9.3} s  {what}", at.as_secs_f64())?;
            match fault.lasts() {
                true if *lasts < Duration::MAX => write!(f, ", for {:.3} s", lasts.as_secs_f64())?,
                true => write!(f, ", in the whole run")?,
                false => {}
            }
            writeln!(f, "  (fault {number})")?;
        }
        Ok(())
    }
}

/// The options that keep exactly this.
impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(faults) = &self.faults {
            write!(f, " --keep-faults {faults}")?;
        }
        if let Some(clients) = &self.clients {
            write!(f, " --keep-clients {clients}")?;
        }
        if let Some(operations) = self.operations {
            write!(f, " --operations {operations}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let numbers: Vec<_> = self.0.iter().map(usize::to_string).collect();
        f.write_str(&numbers.join(","))
    }
}

impl FromStr for Numbers {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        if s == "none" {
            return Ok(Numbers::default());
        }
        let number = |n: &str| n.trim().parse().map_err(|e| format!("{n:?} is no number: {e}"));
        s.split(',').map(number).collect::<Result<_, _>>().map(Numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_stays_what_it_was() {
        let whole = Schedule::draw(7);
        let faults = Some(Numbers([1, 4].into()));
        let clients = Some(Numbers([0, 2].into()));
        let part = whole.clone().keep(&Keep { faults, clients, operations: Some(9) });
        assert_eq!(part.fault_numbers(), [1, 4].into());
        assert_eq!(part.client_numbers(), [0, 2].into());
        assert_eq!(part.operations(), 9);
        for fault in &part.faults {
            assert_eq!(format!("{fault:?}"), format!("{:?}", whole.faults[fault.number]));
        }
        assert_eq!(part.clients[2].seed, whole.clients[2].seed);
    }

    #[test]
    fn the_options_that_are_printed_are_read_back() {
        for numbers in [Numbers::default(), Numbers([3, 7, 19].into())] {
            assert_eq!(numbers.to_string().parse(), Ok(numbers));
        }
        assert!("3,x".parse::<Numbers>().is_err());
    }

    /// However many faults lose data: some machine that acknowledged a write loses none.
    #[test]
    fn fewer_machines_lose_data_than_hold_an_acknowledged_write() {
        for seed in 0..500 {
            let mut dice = Dice::new(seed);
            let mut scenario = Scenario::draw(&mut dice);
            let victims = draw_victims(&mut dice, &mut scenario);
            let machines: BTreeSet<_> = victims.iter().collect();
            assert!(machines.len() < scenario.least_write.min(scenario.write_quorum));
            assert_eq!(machines.len(), victims.len(), "no machine twice");
        }
    }
}
