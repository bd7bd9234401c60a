//! The compound file that contains an XLS book: checks that reading it ends, and reads the stream of the book.
//!
//! Streams are chains of sectors. The reader follows a chain with a loop until the memory is full.
//!
//! Not by the crate `cfb`, because it corrects the table of chains before it checks it, while the reader follows the table
//! as it is written, and because it refuses damaged files that the reader still reads.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use encoding_rs::UTF_16LE;

const HEADER_BYTES: usize = 512;
/// From here on a number is not a sector: it marks the end of a chain or a special use.
const NO_SECTOR: u32 = 0xffff_fffa;
const ENTRY_BYTES: usize = 128;
/// Streams smaller than this are kept in small sectors, within a stream of the container itself.
const SMALL_BELOW: usize = 4_096;
const SMALL_SECTOR: usize = 64;

/// A container whose chains all end.
pub(super) struct Container<'a> {
    sector: u64,
    bytes: u64,
    file: &'a mut File,
    /// For each sector, the next one.
    chains: Vec<u32>,
    small_chains: Vec<u32>,
    directory: u32,
}

/// What a file is.
pub(super) enum Found<'a> {
    Container(Container<'a>),
    Endless,
    /// Not a container; the reader refuses it.
    Other,
}

pub(super) fn open(file: &mut File) -> io::Result<Found<'_>> {
    let mut header = [0; HEADER_BYTES];
    file.rewind()?;
    if file.read_exact(&mut header).is_err() {
        return Ok(Found::Other);
    }
    let shift = u16_at(&header, 30);
    if !matches!(shift, 9 | 12) {
        return Ok(Found::Other);
    }
    let bytes = file.metadata()?.len();
    let word = |at: usize| u32_at(&header, at);
    let (chains, small_chains) = (Vec::new(), Vec::new());
    let mut container = Container { sector: 1 << shift, bytes, file, chains, small_chains, directory: word(48) };
    let mut tables: Vec<u32> = (76..HEADER_BYTES).step_by(4).map(word).collect();
    let (mut next, mut seen) = (word(68), 0);
    while next < NO_SECTOR {
        seen += 1;
        let mut more = words(&container.sector(next)?);
        // The last word of each sector is the number of the next one.
        let Some(last) = more.pop().filter(|_| seen <= container.bytes / container.sector) else {
            return Ok(Found::Endless);
        };
        tables.extend(more);
        next = last;
    }
    for table in tables.into_iter().filter(|table| *table < NO_SECTOR) {
        let more = words(&container.sector(table)?);
        container.chains.extend(more);
    }
    if has_loop(&container.chains) {
        return Ok(Found::Endless);
    }
    container.small_chains = words(&container.chain(word(60), usize::MAX)?);
    Ok(if has_loop(&container.small_chains) { Found::Endless } else { Found::Container(container) })
}

impl Container<'_> {
    /// The stream with the first of these names that exists; `None` if none does.
    pub(super) fn stream(&mut self, names: &[&str]) -> io::Result<Option<Vec<u8>>> {
        let directory = self.chain(self.directory, usize::MAX)?;
        let entries = || directory.as_chunks::<ENTRY_BYTES>().0.iter();
        let length = |entry: &[u8]| match self.sector {
            512 => u64::from(u32_at(entry, 120)),
            _ => u64::from(u32_at(entry, 120)) | u64::from(u32_at(entry, 124)) << 32,
        };
        let size = |entry: &[u8]| usize::try_from(length(entry)).unwrap_or(usize::MAX);
        let found = names.iter().find_map(|name| entries().find(|entry| entry_name(*entry).eq_ignore_ascii_case(name)));
        let (Some(entry), Some(root)) = (found, entries().next()) else { return Ok(None) };
        let (start, bytes) = (u32_at(entry, 116), size(entry));
        if bytes >= SMALL_BELOW {
            return self.chain(start, bytes).map(Some);
        }
        let small = self.chain(u32_at(root, 116), size(root))?;
        let mut stream = Vec::new();
        for sector in follow(&self.small_chains, start) {
            let from = small.len().min(sector as usize * SMALL_SECTOR);
            stream.extend_from_slice(&small[from..small.len().min(from + SMALL_SECTOR)]);
        }
        stream.truncate(bytes);
        Ok(Some(stream))
    }

    /// Reads up to `bytes` bytes of a chain of sectors.
    fn chain(&mut self, start: u32, bytes: usize) -> io::Result<Vec<u8>> {
        let mut held = Vec::new();
        let sectors: Vec<u32> = follow(&self.chains, start).collect();
        for sector in sectors {
            if held.len() >= bytes {
                break;
            }
            held.append(&mut self.sector(sector)?);
        }
        held.truncate(bytes);
        Ok(held)
    }

    /// Reads a sector; less if the file ends within it.
    fn sector(&mut self, sector: u32) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start((u64::from(sector) + 1) * self.sector))?;
        let mut bytes = Vec::new();
        (&mut *self.file).take(self.sector).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The sectors of a chain, which is known to end.
fn follow(chains: &[u32], start: u32) -> impl Iterator<Item = u32> {
    let next = |at: &u32| chains.get(usize::try_from(*at).unwrap_or(usize::MAX)).copied();
    std::iter::successors(Some(start), next).take_while(|at| *at < NO_SECTOR)
}

fn entry_name(entry: &[u8]) -> String {
    let (name, _) = UTF_16LE.decode_without_bom_handling(&entry[..64]);
    name.split('\0').next().unwrap_or_default().to_owned()
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

/// Whether a table of chains contains a loop.
fn has_loop(chains: &[u32]) -> bool {
    // The walk that met each sector first.
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

    const SAMPLE: &[u8] = include_bytes!("../../../../samples/recipients.xls");

    fn endless(bytes: &[u8]) -> bool {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        matches!(open(&mut file).unwrap(), Found::Endless)
    }

    #[test]
    fn a_chain_with_a_loop_is_refused() {
        assert!(!endless(SAMPLE));
        assert!(!endless(b"no container"));
        let table = 512 * (u32_at(SAMPLE, 76) as usize + 1);
        let directory = u32_at(SAMPLE, 48);
        let mut looped = SAMPLE.to_vec();
        looped[table + 4 * directory as usize..][..4].copy_from_slice(&directory.to_le_bytes());
        assert!(endless(&looped));
    }

    /// A corrected table marks the sectors that hold the table, which hides this loop.
    #[test]
    fn a_loop_through_the_sector_of_the_table_itself_is_refused() {
        let table_sector = u32_at(SAMPLE, 76);
        let table = 512 * (table_sector as usize + 1);
        let root = 512 * (u32_at(SAMPLE, 48) as usize + 1);
        let mut looped = SAMPLE.to_vec();
        looped[table + 4 * table_sector as usize..][..4].copy_from_slice(&table_sector.to_le_bytes());
        looped[root + 116..][..4].copy_from_slice(&table_sector.to_le_bytes());
        assert!(endless(&looped));
    }

    #[test]
    fn a_loop_is_found_at_any_sector() {
        const END: u32 = 0xffff_fffe;
        assert!(!has_loop(&[1, 2, END, END, 0]));
        assert!(!has_loop(&[900, END]));
        assert!(has_loop(&[END, 2, 3, 1]));
        assert!(has_loop(&[0]));
        assert!(has_loop(&[1, 2, 3, 2]));
    }
}
