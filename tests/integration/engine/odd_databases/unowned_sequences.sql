-- Sequences that their columns take numbers from and do not own, as pgloader, AWS DMS or a restore by hand leaves them.
-- Public: dimitri/pgloader#1180, #563.
do $$ declare r record; begin
  for r in select relname from pg_class where relkind = 'S' and relnamespace = 'public'::regnamespace loop
    execute format('alter sequence %I owned by none', r.relname); end loop; end $$;
