/// Bytes that are shared, not copied.
pub type Bytes = hyper::body::Bytes;
