//! The revisioned key space under the control plane.
