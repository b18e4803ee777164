-- An event trigger that lets nobody make tables. Public: PostgreSQL's documentation of CREATE EVENT TRIGGER, its example.
create function no_ddl() returns event_trigger language plpgsql as $$
  begin raise exception 'only the platform team may: %', tg_tag; end $$;
create event trigger no_ddl on ddl_command_start execute function no_ddl();
