//! Taking over from the agent written in Go.
