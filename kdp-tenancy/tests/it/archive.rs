//! Workspaces can be taken out and brought in.
