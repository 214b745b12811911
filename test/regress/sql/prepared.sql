-- Prepared statements, descriptions, and psql's own ways to use a result.
prepare add (int, int) as select $1 + $2 as sum;
execute add (1, 2);
execute add (1, 'x');
execute add (1);
prepare add as select 1;
select name, statement, parameter_types from pg_prepared_statements;
deallocate add;
execute add (1, 2);
select 1 as a, 'x'::varchar(7) as b, now() as c, array[1.5::numeric(4, 2)] as d, null as e \gdesc
select missing \gdesc
select 6 * 7 as answer \gset
\echo :answer
select format('select %s as generated', n) from generate_series(1, 3) n \gexec
select * from (values ('a', 'x', 1), ('a', 'y', 2), ('b', 'x', 3)) v (r, c, n) \crosstabview
select 'one' \; select 'two' \; select 'three';
create table cached (n int);
prepare wide as select * from cached;
execute wide;
alter table cached add column m int;
execute wide;
discard all;
execute wide;
select n from generate_series(1, 3) n \g (format=html)
