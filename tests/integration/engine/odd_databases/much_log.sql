-- Enough rows of log to merge them in bulk.
insert into log (dttm, event, owner) select now() - n * interval '1 minute', 'cli', 'x' from generate_series(1, 12000) n;
