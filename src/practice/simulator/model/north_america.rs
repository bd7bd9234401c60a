//! Which numbers of the calling code 1 are of the United States.

use crate::base::domain::Msisdn;

/// The area codes of the calling code 1 outside the United States, in order: of Canada, the Caribbean and the Pacific.
const ELSEWHERE: [u16; 88] = [
    204, 226, 236, 242, 246, 249, 250, 257, 263, 264, 268, 284, 289, 306, 340, 343, 345, 354, 365, 367, 368, 382, 387,
    403, 416, 418, 428, 431, 437, 438, 441, 450, 460, 468, 473, 474, 506, 514, 519, 537, 548, 568, 579, 581, 584, 587,
    600, 604, 613, 622, 639, 647, 649, 658, 664, 670, 671, 672, 683, 684, 705, 709, 721, 742, 753, 758, 767, 778, 780,
    782, 784, 787, 807, 809, 819, 825, 829, 849, 867, 868, 869, 873, 876, 879, 902, 905, 939, 942,
];

pub(super) fn is_of_the_united_states(number: Msisdn) -> bool {
    let digits = number.get();
    let area = u16::try_from(digits / 10_000_000 % 1_000).unwrap_or_default();
    digits / 10_000_000_000 == 1 && ELSEWHERE.binary_search(&area).is_err()
}
