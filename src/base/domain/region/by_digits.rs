//! The time zones that the first digits of a number indicate.
//!
//! The table lists only prefixes whose zone is certain and differs from that of most of the country. Other numbers use
//! the country's zone. A prefix that straddles two zones has the zone with more inhabitants.

use chrono_tz::Tz;

/// Prefixes of full international numbers, by zone. If several match a number, the longest counts.
pub(super) const PREFIXES: &[(Tz, &[u64])] = &[
    // The United States and Canada share one plan of area codes. Eastern time is the default of both.
    (
        Tz::America__Chicago,
        &[
            1205, 1210, 1214, 1217, 1218, 1219, 1224, 1225, 1228, 1235, 1251, 1254, 1256, 1262, 1270, 1274, 1281, 1308,
            1309, 1312, 1314, 1316, 1318, 1319, 1320, 1325, 1327, 1331, 1334, 1337, 1346, 1353, 1361, 1364, 1402, 1405,
            1409, 1414, 1417, 1430, 1432, 1447, 1448, 1457, 1464, 1469, 1471, 1479, 1483, 1501, 1504, 1507, 1512, 1515,
            1531, 1534, 1539, 1557, 1563, 1572, 1573, 1580, 1601, 1605, 1608, 1612, 1615, 1618, 1620, 1621, 1629, 1630,
            1636, 1641, 1651, 1659, 1660, 1662, 1682, 1701, 1708, 1712, 1713, 1715, 1726, 1730, 1731, 1737, 1763, 1769,
            1773, 1779, 1785, 1806, 1815, 1816, 1817, 1830, 1832, 1847, 1850, 1861, 1870, 1872, 1901, 1903, 1913, 1918,
            1920, 1924, 1931, 1936, 1938, 1940, 1945, 1952, 1956, 1972, 1975, 1979, 1985,
        ],
    ),
    (
        Tz::America__Denver,
        &[1208, 1303, 1307, 1385, 1406, 1435, 1505, 1575, 1719, 1720, 1748, 1801, 1915, 1970, 1983, 1986],
    ),
    (Tz::America__Phoenix, &[1480, 1520, 1602, 1623, 1928]),
    (
        Tz::America__Los_Angeles,
        &[
            1206, 1209, 1213, 1253, 1279, 1310, 1323, 1341, 1350, 1357, 1360, 1369, 1408, 1415, 1424, 1425, 1442, 1458,
            1503, 1509, 1510, 1530, 1541, 1559, 1562, 1564, 1619, 1626, 1628, 1650, 1657, 1661, 1669, 1702, 1707, 1714,
            1725, 1738, 1747, 1760, 1775, 1805, 1818, 1820, 1831, 1837, 1840, 1858, 1909, 1916, 1925, 1949, 1951, 1971,
        ],
    ),
    (Tz::America__Anchorage, &[1907]),
    (Tz::Pacific__Honolulu, &[1808]),
    (Tz::America__Halifax, &[1428, 1506, 1782, 1902]),
    (Tz::America__St_Johns, &[1709, 1879]),
    (Tz::America__Winnipeg, &[1204, 1431, 1584]),
    (Tz::America__Regina, &[1306, 1474, 1639]),
    (Tz::America__Edmonton, &[1368, 1403, 1587, 1780, 1825, 1867]),
    (Tz::America__Vancouver, &[1236, 1250, 1257, 1604, 1672, 1778]),
    // Spain: the Canary Islands.
    (Tz::Atlantic__Canary, &[34822, 34828, 34922, 34928]),
    // Portugal: Madeira and the Azores.
    (Tz::Atlantic__Madeira, &[351291]),
    (Tz::Atlantic__Azores, &[351292, 351295, 351296]),
    // Mexico: the northwest, the border that keeps the time of the United States, and Quintana Roo.
    (Tz::America__Tijuana, &[52616, 52646, 52658, 52661, 52663, 52664, 52665, 52686]),
    (
        Tz::America__Hermosillo,
        &[
            52622, 52623, 52631, 52632, 52633, 52634, 52637, 52638, 52641, 52642, 52643, 52644, 52645, 52647, 52651,
            52653, 52662,
        ],
    ),
    (
        Tz::America__Mazatlan,
        &[
            5269, 52311, 52319, 52323, 52324, 52325, 52327, 52389, 52612, 52613, 52615, 52624, 52660, 52667, 52668,
            52669, 52672, 52673, 52687,
        ],
    ),
    (Tz::America__Cancun, &[52983, 52984, 52987, 52998]),
    (Tz::America__Chihuahua, &[52614, 52621, 52625, 52627, 52628, 52629, 52635, 52636, 52639, 52648, 52652, 52659]),
    (Tz::America__Ciudad_Juarez, &[52656, 52657]),
    (Tz::America__Ojinaga, &[52626]),
    (Tz::America__Matamoros, &[52862, 52867, 52868, 52877, 52878, 52891, 52894, 52897, 52899]),
    // Brazil: the west.
    (Tz::America__Manaus, &[5592, 5597]),
    (Tz::America__Boa_Vista, &[5595]),
    (Tz::America__Porto_Velho, &[5569]),
    (Tz::America__Cuiaba, &[5565, 5566]),
    (Tz::America__Campo_Grande, &[5567]),
    (Tz::America__Rio_Branco, &[5568]),
    // Chile: the far south.
    (Tz::America__Punta_Arenas, &[5661]),
    (Tz::America__Coyhaique, &[5667]),
    // Australia.
    (Tz::Australia__Melbourne, &[613]),
    (Tz::Australia__Hobart, &[6136]),
    (Tz::Australia__Brisbane, &[617]),
    (Tz::Australia__Adelaide, &[6187, 6188]),
    (Tz::Australia__Darwin, &[61879, 61889]),
    (Tz::Australia__Perth, &[6185, 6186, 6189]),
    // Indonesia: the center and the east.
    (Tz::Asia__Makassar, &[624, 6236, 6237, 6238, 6254, 6255, 62511, 62512, 62517, 62518, 62527]),
    (Tz::Asia__Jayapura, &[629]),
    // Russia.
    (Tz::Europe__Kaliningrad, &[7401]),
    (Tz::Europe__Samara, &[7341, 7846, 7848]),
    (Tz::Europe__Saratov, &[7845]),
    (Tz::Europe__Ulyanovsk, &[7842]),
    (Tz::Europe__Astrakhan, &[7851]),
    (Tz::Asia__Yekaterinburg, &[7342, 7343, 7345, 7346, 7347, 7349, 7351, 7352, 7353]),
    (Tz::Asia__Omsk, &[7381]),
    (Tz::Asia__Novosibirsk, &[7383]),
    (Tz::Asia__Tomsk, &[7382]),
    (Tz::Asia__Barnaul, &[7385, 7388]),
    (Tz::Asia__Novokuznetsk, &[7384]),
    (Tz::Asia__Krasnoyarsk, &[7390, 7391, 7394]),
    (Tz::Asia__Irkutsk, &[7301, 7395]),
    (Tz::Asia__Chita, &[7302]),
    (Tz::Asia__Yakutsk, &[7411, 7416]),
    (Tz::Asia__Vladivostok, &[7421, 7423, 7426]),
    (Tz::Asia__Magadan, &[7413]),
    (Tz::Asia__Sakhalin, &[7424]),
    (Tz::Asia__Kamchatka, &[7415]),
    (Tz::Asia__Anadyr, &[7427]),
];
