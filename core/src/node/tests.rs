//! Whole nodes.
