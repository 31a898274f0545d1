//! A vote among replicas: pending, reached or impossible.

/// Counts the answers of one request's replicas. Each of them answers or fails once;
/// telling them apart is up to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    needed: usize,
    waiting: usize,
    granted: usize,
}

/// Where a vote stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It can still go either way.
    Pending,
    /// As many as needed have granted it.
    Reached,
    /// Those that still wait are too few.
    Impossible,
}

impl Vote {
    /// A vote in which `needed` of `voters` must agree.
    pub fn new(needed: usize, voters: usize) -> Self {
        Vote { needed, waiting: voters, granted: 0 }
    }

    /// One more has agreed.
    pub fn grant(&mut self) -> Outcome {
        self.waiting = self.waiting.saturating_sub(1);
        self.granted += 1;
        self.outcome()
    }

    /// One more will not agree.
    pub fn fail(&mut self) -> Outcome {
        self.waiting = self.waiting.saturating_sub(1);
        self.outcome()
    }

    /// Where it stands now.
    pub fn outcome(&self) -> Outcome {
        if self.granted >= self.needed {
            Outcome::Reached
        } else if self.granted + self.waiting < self.needed {
            Outcome::Impossible
        } else {
            Outcome::Pending
        }
    }

    /// How many have agreed.
    pub fn granted(&self) -> usize {
        self.granted
    }

    /// How many must.
    pub fn needed(&self) -> usize {
        self.needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_three() {
        let mut v = Vote::new(2, 3);
        assert_eq!(v.grant(), Outcome::Pending);
        assert_eq!(v.fail(), Outcome::Pending);
        assert_eq!(v.grant(), Outcome::Reached);
    }

    #[test]
    fn impossible_as_soon_as_too_few_are_left() {
        let mut v = Vote::new(2, 3);
        assert_eq!(v.fail(), Outcome::Pending);
        assert_eq!(v.fail(), Outcome::Impossible);
        assert_eq!(Vote::new(2, 1).outcome(), Outcome::Impossible);
    }
}
