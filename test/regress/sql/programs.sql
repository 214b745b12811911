-- Functions, procedures, triggers, and exceptions inside of them.
create table ledger (id int generated always as identity, what text, at int default 0);
create function log_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then raise exception 'nothing is deleted here' using errcode = '2F002'; end if;
  new.at := coalesce(old.at, 0) + 1;
  return new;
end $$;
create trigger change before insert or update or delete on ledger for each row execute function log_change();
insert into ledger (what) values ('a'), ('b') returning *;
update ledger set what = upper(what) returning id, what, at;
delete from ledger;
insert into ledger (id, what) values (9, 'x');
create procedure batches(n int) language plpgsql as $$
begin
  for i in 1..n loop
    insert into ledger (what) values ('batch ' || i);
    if i % 2 = 0 then commit; else rollback; end if;
  end loop;
end $$;
call batches(4);
select what from ledger order by id;
begin; call batches(1); rollback;
create function guarded(a int, b int) returns text language plpgsql as $$
declare state text; message text;
begin
  return (a / b)::text;
exception when division_by_zero then
  get stacked diagnostics state = returned_sqlstate, message = message_text;
  return state || ': ' || message;
end $$;
select guarded(6, 3), guarded(1, 0);
create function many(out a int, out b text) returns setof record language sql as $$ values (1, 'x'), (2, 'y') $$;
select * from many();
select many();
create function recursive_depth(n int) returns int language plpgsql as $$ begin return recursive_depth(n + 1); end $$;
\set SHOW_CONTEXT never
select recursive_depth(0);
do language plpgsql $$ declare r record; begin for r in select n from generate_series(1, 3) n loop raise notice 'r = %', r; end loop; end $$;
create function bad() returns int language plpgsql as $$ begin retrn 1; end $$;
create function secret() returns int language c as 'x', 'y';
