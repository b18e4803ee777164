-- A trigger that lets some rows not in.
create function no_success() returns trigger language plpgsql as $$
  begin if new.event = 'cli' then raise exception 'no % here', new.event; end if; return new; end $$;
create trigger guard before insert on log for each row execute function no_success();
