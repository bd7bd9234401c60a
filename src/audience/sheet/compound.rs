//! The container of the old format, as far as it takes to know that reading it comes to an end: its streams are chains of
//! sectors, and a chain that bites its own tail would be followed until the memory is full.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

const HEADER_BYTES: usize = 512;
/// From here on a number is no sector, but the end of a chain or a use of its own.
const NO_SECTOR: u32 = 0xffff_fffa;

/// Whether some chain of the container has no end. What is no container at all is the reader's to refuse.
pub(super) fn is_endless(file: &mut File) -> io::Result<bool> {
    let mut header = [0; HEADER_BYTES];
    file.rewind()?;
    if file.read_exact(&mut header).is_err() {
        return Ok(false);
    }
    let shift = u16::from_le_bytes([header[30], header[31]]);
    if !matches!(shift, 9 | 12) {
        return Ok(false);
    }
    let mut container = Container { sector: 1 << shift, bytes: file.metadata()?.len(), file };
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let mut tables: Vec<u32> = (76..HEADER_BYTES).step_by(4).map(word).collect();
    let (mut next, mut seen) = (word(68), 0);
    while next < NO_SECTOR {
        seen += 1;
        let mut more = container.words(next)?;
        // The last word of each leads to the next one.
        let Some(last) = more.pop().filter(|_| seen <= container.sectors()) else { return Ok(true) };
        tables.extend(more);
        next = last;
    }
    let mut chains = Vec::new();
    for table in tables.into_iter().filter(|table| *table < NO_SECTOR) {
        chains.extend(container.words(table)?);
    }
    if has_loop(&chains) {
        return Ok(true);
    }
    // Small streams have chains of their own, in a stream of the container.
    let (mut small, mut sector) = (Vec::new(), word(60));
    while sector < NO_SECTOR {
        small.extend(container.words(sector)?);
        let Some(next) = usize::try_from(sector).ok().and_then(|sector| chains.get(sector)) else { break };
        sector = *next;
    }
    Ok(has_loop(&small))
}

struct Container<'a> {
    sector: u64,
    bytes: u64,
    file: &'a mut File,
}

impl Container<'_> {
    fn sectors(&self) -> u64 {
        self.bytes / self.sector
    }

    /// The words of a sector; fewer where the file ends before it does.
    fn words(&mut self, sector: u32) -> io::Result<Vec<u32>> {
        self.file.seek(SeekFrom::Start((u64::from(sector) + 1) * self.sector))?;
        let mut bytes = Vec::new();
        (&mut *self.file).take(self.sector).read_to_end(&mut bytes)?;
        Ok(bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }
}

/// Whether following a table from some sector on, from each to the next, never ends.
fn has_loop(chains: &[u32]) -> bool {
    // In which walk a sector was met first.
    let mut met = vec![0_u32; chains.len()];
    for (walk, start) in (1..).zip(0..chains.len()) {
        let mut at = start;
        while met[at] == 0 {
            met[at] = walk;
            match usize::try_from(chains[at]) {
                Ok(next) if next < chains.len() => at = next,
                Ok(_) | Err(_) => break,
            }
            if met[at] == walk {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const SAMPLE: &[u8] = include_bytes!("../../../samples/recipients.xls");

    fn endless(bytes: &[u8]) -> bool {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        is_endless(&mut file).unwrap()
    }

    #[test]
    fn a_chain_that_bites_its_tail_is_noticed() {
        assert!(!endless(SAMPLE));
        assert!(!endless(b"no container"));
        let word = |at: usize| u32::from_le_bytes(SAMPLE[at..at + 4].try_into().unwrap());
        let table = 512 * (word(76) as usize + 1);
        let directory = word(48);
        let mut bitten = SAMPLE.to_vec();
        bitten[table + 4 * directory as usize..][..4].copy_from_slice(&directory.to_le_bytes());
        assert!(endless(&bitten));
    }

    #[test]
    fn a_loop_is_found_wherever_it_begins() {
        const END: u32 = 0xffff_fffe;
        assert!(!has_loop(&[1, 2, END, END, 0]));
        assert!(!has_loop(&[900, END]));
        assert!(has_loop(&[END, 2, 3, 1]));
        assert!(has_loop(&[0]));
        assert!(has_loop(&[1, 2, 3, 2]));
    }
}
