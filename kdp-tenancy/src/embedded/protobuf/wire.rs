//! The fields of a message as the wire has them, without knowing what they mean.

use bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::malformed;
use crate::embedded::status::{Result, StatusError};

/// The value of a field, still without a type.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// An encoding that no Kubernetes type uses; only fit to be skipped.
    Other,
}

/// Fields in the order of the wire; ends after the first error.
#[derive(Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn read(&mut self) -> Result<(u32, Wire<'a>)> {
        let rest = &mut self.0;
        let (number, wire_type) = decode_key(rest).map_err(malformed)?;
        let wire = match wire_type {
            WireType::Varint => Wire::Varint(decode_varint(rest).map_err(malformed)?),
            WireType::SixtyFourBit => Wire::Fixed64(rest.try_get_u64_le().map_err(malformed)?),
            WireType::LengthDelimited => Wire::Bytes(delimited(rest)?),
            WireType::ThirtyTwoBit | WireType::StartGroup | WireType::EndGroup => {
                skip_field(wire_type, number, rest, DecodeContext::default()).map_err(malformed)?;
                Wire::Other
            }
        };
        Ok((number, wire))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Wire<'a>), StatusError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

fn delimited<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8]> {
    let length = decode_varint(rest).map_err(malformed)?;
    let (bytes, after) = usize::try_from(length)
        .ok()
        .and_then(|length| rest.split_at_checked(length))
        .ok_or_else(|| malformed(format_args!("{length} bytes announced, {} left", rest.len())))?;
    *rest = after;
    Ok(bytes)
}
