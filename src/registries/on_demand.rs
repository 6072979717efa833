//! A client that is there while it is needed.

use std::sync::{Arc, Mutex, PoisonError};

/// A client that is made when it is first needed. Its connections go with it, as soon as nothing is under way on them.
pub(super) struct OnDemand<T>(Mutex<Option<Arc<T>>>);

impl<T> OnDemand<T> {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The client that there is, or else the one that is made.
    ///
    /// # Errors
    /// Why none can be made.
    pub(super) fn get<E>(&self, make: impl FnOnce() -> Result<Arc<T>, E>) -> Result<Arc<T>, E> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match held.as_ref() {
            Some(client) => Ok(Arc::clone(client)),
            None => Ok(Arc::clone(held.insert(make()?))),
        }
    }

    /// Lets go of it.
    pub(super) fn release(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_made_and_made_again_after_it_was_let_go() {
        let client = OnDemand::new();
        assert_eq!(client.get(|| Err::<Arc<u8>, _>("no file handles")), Err("no file handles"));
        let first = client.get(|| Ok::<_, ()>(Arc::new(1))).unwrap();
        assert_eq!(client.get(|| Ok::<_, ()>(Arc::new(2))), Ok(Arc::clone(&first)));
        client.release();
        assert_eq!(Arc::strong_count(&first), 1);
        assert_eq!(client.get(|| Ok::<_, ()>(Arc::new(3))), Ok(Arc::new(3)));
    }
}
