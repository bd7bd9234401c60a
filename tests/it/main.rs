//! What holds for the whole of Volley, looked at from outside.

// `cfg(test)` is always on here; it tells the lints that these are tests.
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod full_load;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod kill_commands;
#[cfg(test)]
mod support;
