//! What one thread hands to others, in bounded numbers.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A queue that is full at `limit` items.
pub struct Queue<T> {
    limit: usize,
    state: Mutex<State<T>>,
    has_items: Condvar,
    has_room: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    is_closed: bool,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub fn new(limit: usize) -> Self {
        let state = Mutex::new(State { items: VecDeque::with_capacity(limit), is_closed: false });
        Self { limit, state, has_items: Condvar::new(), has_room: Condvar::new() }
    }

    /// Adds an item, and waits while the queue is full. Returns whether it was added: a closed queue drops it.
    pub fn push(&self, item: T) -> bool {
        let is_full = |state: &mut State<T>| state.items.len() >= self.limit && !state.is_closed;
        let waited = self.has_room.wait_while(self.lock(), is_full);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if !state.is_closed {
            state.items.push_back(item);
            self.has_items.notify_one();
        }
        !state.is_closed
    }

    /// Takes the next item, and waits for it. Nothing when the queue is closed and empty.
    pub fn pop(&self) -> Option<T> {
        let is_waiting = |state: &mut State<T>| state.items.is_empty() && !state.is_closed;
        let waited = self.has_items.wait_while(self.lock(), is_waiting);
        let item = waited.unwrap_or_else(PoisonError::into_inner).items.pop_front();
        self.has_room.notify_one();
        item
    }

    /// No more items are added.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.has_items.notify_all();
        self.has_room.notify_all();
    }

    /// The same, and those in it are dropped.
    pub fn abandon(&self) {
        self.close();
        self.lock().items.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes a queue when it is dropped, so that those who wait for items end however the one who adds them ends.
pub struct CloseOnDrop<'q, T>(pub &'q Queue<T>);

impl<T> Drop for CloseOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}
