//! How figures are printed.

use hdrhistogram::Histogram;
use std::time::Duration;

/// Of latencies, what is looked at.
pub(crate) const QUANTILES: [(&str, f64); 4] =
    [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// Of latencies in microseconds.
pub(crate) fn millis(latencies: &Histogram<u64>, quantile: f64) -> f64 {
    latencies.value_at_quantile(quantile) as f64 / 1_000.0
}

/// The heading of lines by [`latencies`].
pub(crate) fn heading() {
    print!("{:26}{:>10}", "ms", "requests");
    QUANTILES.iter().for_each(|(name, _)| print!("{name:>9}"));
    println!();
}

/// One line.
pub(crate) fn latencies(what: &str, of: &Histogram<u64>) {
    print!("{what:26}{:>10}", of.len());
    QUANTILES.iter().for_each(|(_, quantile)| print!("{:>9.2}", millis(of, *quantile)));
    println!();
}

/// CPU time of each node, and of all.
pub(crate) fn cpu(what: &str, nodes: &[(String, Duration)]) {
    let seconds = |cpu: &Duration| format!("{:.1} s", cpu.as_secs_f64());
    let each: Vec<_> = nodes.iter().map(|(name, cpu)| format!("{name} {}", seconds(cpu))).collect();
    println!("{what:26}{} ({})", seconds(&total(nodes)), each.join(", "));
}

/// Of all nodes.
pub(crate) fn total(nodes: &[(String, Duration)]) -> Duration {
    nodes.iter().map(|(_, cpu)| *cpu).sum()
}

/// So many bytes in so long, in MB/s.
pub(crate) fn speed(bytes: u64, took: Duration) -> f64 {
    bytes as f64 / 1e6 / took.as_secs_f64().max(f64::EPSILON)
}
