-- Every operator may read: pages show something before they change it. Of the bits, 1 is read and 8 admin, which includes it.
UPDATE operator SET scopes = scopes | 1 WHERE scopes & 9 = 0;
