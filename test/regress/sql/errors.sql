-- Errors with all of their fields, at every verbosity.
\set VERBOSITY verbose
select * from missing_table;
\set VERBOSITY default
select 1 +;
select missing_function(1);
create table parent (id int primary key, name text not null, age int constraint adult check (age >= 18));
create table child (parent_id int references parent deferrable initially deferred);
insert into parent values (1, 'a', 20), (1, 'b', 30);
insert into parent values (1, null, 20);
insert into parent values (1, 'a', 10);
insert into child values (7);
begin; insert into child values (8); commit;
select 1 / 0;
\errverbose
\set VERBOSITY sqlstate
select 1 / 0;
do $$ begin raise 'own error' using errcode = 'P1234', detail = 'the detail', hint = 'the hint'; end $$;
\set VERBOSITY verbose
do $$ begin raise 'own error' using errcode = 'P1234', detail = 'the detail', hint = 'the hint', column = 'c', constraint = 'k', datatype = 'd', table = 't', schema = 's'; end $$;
\set VERBOSITY default
\set SHOW_CONTEXT always
create function inner_one() returns int language plpgsql as $$ begin return 1 / 0; end $$;
create function outer_one() returns int language plpgsql as $$ begin return inner_one() + 1; end $$;
select outer_one();
select no_such_column, 'a very long line that the server cuts when it points at the place of the error in the middle of it', also_missing from parent;
select 'ü€😀', missing from parent;
set statement_timeout = '50ms';
select pg_sleep(5);
reset statement_timeout;
\set ON_ERROR_ROLLBACK on
begin;
select 1;
select 1 / 0;
select 2;
commit;
\unset ON_ERROR_ROLLBACK
begin;
select 1 / 0;
select 2;
commit;
select 'error in one of several' \; select 1 / 0 \; select 'not reached';
;
select 3;
