//! Amounts as Kubernetes writes them: the API server rewrites "0.5" as "500m" and
//! "1024Mi" as "1Gi", which is no change.

/// Whether both are amounts, and the same one.
pub(super) fn equal(a: &str, b: &str) -> bool {
    matches!((nano(a), nano(b)), (Some(a), Some(b)) if a == b)
}

/// The amount in billionths; `None` for what is no amount, or an absurd one.
fn nano(text: &str) -> Option<i128> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || fraction.len() > 9 {
        return None;
    }
    let unit: i128 = match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => 1_000_000_000,
        "k" => 1_000_000_000_000,
        "M" => 10i128.pow(15),
        "G" => 10i128.pow(18),
        "T" => 10i128.pow(21),
        "P" => 10i128.pow(24),
        "Ki" => 1_000_000_000 << 10,
        "Mi" => 1_000_000_000 << 20,
        "Gi" => 1_000_000_000 << 30,
        "Ti" => 1_000_000_000 << 40,
        "Pi" => 1_000_000_000 << 50,
        _ => return None,
    };
    let scale = 10i128.pow(u32::try_from(fraction.len()).ok()?);
    let number: i128 = format!("{whole}{fraction}").parse().ok()?;
    Some(number.checked_mul(unit)? / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_compared_by_value() {
        for (a, b) in [("0.5", "500m"), ("1024Mi", "1Gi"), ("1", "1000m"), ("1.5Gi", "1536Mi")] {
            assert!(equal(a, b), "{a} {b}");
        }
        for (a, b) in [("1", "2"), ("1G", "1Gi"), ("a", "a"), ("", ""), ("1e3", "1000")] {
            assert!(!equal(a, b), "{a} {b}");
        }
    }
}
