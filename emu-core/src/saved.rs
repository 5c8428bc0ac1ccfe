//! Saved state: versioned plain data of one part of the machine.

use ciborium::Value;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The state of one device (or of the board, or of a vCPU) as versioned, self-describing data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    pub version: u32,
    pub body: Value,
}

/// Why a saved state was refused. Nothing has been changed when one of these is returned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    #[error("state version {found} is not one this build knows (it knows up to {known})")]
    Version { found: u32, known: u32 },
    #[error("state does not have the expected shape: {0}")]
    Shape(String),
    #[error("state holds an impossible value: {0}")]
    Value(&'static str),
}

impl Saved {
    /// Packs a state schema. Plain data (integers, arrays, structs, options, vectors) always packs.
    pub fn pack<T: Serialize>(version: u32, state: &T) -> Self {
        let body = Value::serialized(state).expect("plain-data schemas always serialize");
        Self { version, body }
    }

    /// Unpacks a schema of exactly this version.
    ///
    /// # Errors
    /// The version is another one, or the data does not have the schema's shape.
    pub fn unpack<T: DeserializeOwned>(&self, version: u32) -> Result<T, RestoreError> {
        if self.version != version {
            return Err(RestoreError::Version { found: self.version, known: version });
        }
        self.body.deserialized().map_err(|error| RestoreError::Shape(error.to_string()))
    }
}
