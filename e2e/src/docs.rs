//! The commands that documents show, so that tests can run them as they are written.

use anyhow::{Context, Result};

/// The first `sh` block below a heading of a document.
pub fn commands<'a>(document: &'a str, heading: &str) -> Result<&'a str> {
    let below = document.split_once(&format!("\n## {heading}\n"));
    let (_, below) = below.with_context(|| format!("there is no heading {heading:?}"))?;
    let section = below.split("\n## ").next().unwrap_or(below);
    let block = section.split_once("```sh\n").and_then(|(_, b)| b.split_once("```"));
    let (block, _) = block.with_context(|| format!("there are no commands below {heading:?}"))?;
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::commands;

    #[test]
    fn commands_are_found_below_their_heading_only() {
        let document = "# T\n\n## A\n\ntext\n\n```sh\none\ntwo\n```\n\n## B\n\nnothing\n";
        assert_eq!(commands(document, "A").unwrap(), "one\ntwo\n");
        assert!(commands(document, "B").is_err());
        assert!(commands(document, "C").is_err());
    }
}
