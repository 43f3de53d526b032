//! An operator on some cluster makes the thing.
