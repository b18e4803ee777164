-- A password in clear that has room in its column, and not when it is encrypted: a private key, say.
insert into connection (conn_id, conn_type, is_encrypted, password) values ('key', 'ssh', false, repeat('k', 4900));
